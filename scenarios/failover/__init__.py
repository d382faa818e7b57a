"""Scenarios of the failover guide."""
