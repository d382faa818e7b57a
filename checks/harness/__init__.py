"""Checks of what the harness promises of itself, one module a topic."""
