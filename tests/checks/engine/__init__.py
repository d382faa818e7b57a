"""The rules of judging, each by itself."""
