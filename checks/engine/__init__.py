"""Judging: requirements, what a check owes, verdicts, repetitions, and a run as a whole."""
