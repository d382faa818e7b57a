"""The guardian and what it ends."""
