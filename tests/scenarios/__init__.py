"""Tests of the scenarios themselves, with machines that answer from a script."""
