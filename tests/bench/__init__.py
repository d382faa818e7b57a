"""Benchmarks: what they count, on recordings; nothing is timed here."""
