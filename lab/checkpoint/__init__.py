"""Freeze and thaw a whole lab, keyed by content."""

from lab.checkpoint.coldstart import cold_start
from lab.checkpoint.freeze import FreezeFailed, ThawFailed, freeze, stands_on, thaw
from lab.checkpoint.ingredients import ingredients
from lab.checkpoint.manifest import Checkpoint
from lab.checkpoint.store import CheckpointDamaged, NoRoom, Store, key_of, labs_by_checkpoint

__all__ = [
    "Checkpoint",
    "CheckpointDamaged",
    "FreezeFailed",
    "NoRoom",
    "Store",
    "ThawFailed",
    "cold_start",
    "freeze",
    "ingredients",
    "key_of",
    "labs_by_checkpoint",
    "stands_on",
    "thaw",
]
