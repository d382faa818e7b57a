"""Checks of the harness' own promises, on recordings made up for tests."""
