"""The wire, from its pure parts to a running process."""
