"""Tests of the drop-in software for guests."""
