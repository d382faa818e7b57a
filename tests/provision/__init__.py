"""Tests of the guides as steps."""
