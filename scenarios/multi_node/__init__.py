"""Scenarios of the multi-node guide."""
