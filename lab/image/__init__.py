"""Guest images: which there are, how they get here, and the seed that makes a guest of one."""
