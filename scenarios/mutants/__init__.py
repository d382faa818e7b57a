"""Deployments broken on purpose: `pytest scenarios/ --mutants`."""
