"""The machines, their power and their place on disk."""
