"""Scenarios of the harness' own promises: what it does to its host, its wire and its evidence."""
