"""Checks of the multi-node guide, one module a topic."""
