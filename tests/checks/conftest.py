"""Judging is tested with checks of its own."""

from tests.checks.engine.recorded import own_checks

__all__ = ["own_checks"]
