"""Tests of the judges: history, evidence, and each check against good and bad runs."""
