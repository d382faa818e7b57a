"""Freeze and thaw a whole lab, keyed by content."""

from lab.checkpoint.coldstart import cold_start
from lab.checkpoint.freeze import freeze, ingredients, set_clock, stands_on, thaw
from lab.checkpoint.store import Checkpoint, CheckpointDamaged, Store, key_of

__all__ = [
    "Checkpoint",
    "CheckpointDamaged",
    "Store",
    "cold_start",
    "freeze",
    "ingredients",
    "key_of",
    "set_clock",
    "stands_on",
    "thaw",
]
