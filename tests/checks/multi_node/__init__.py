"""Tests of the checks of the multi-node guide."""
