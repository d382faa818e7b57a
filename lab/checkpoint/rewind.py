"""Bringing a running lab back to how it was frozen, in place: the same wire, the same recording.

For scenarios that harm their lab many times over. The wire counts it as a new generation, so that
a recording tells the runs apart.
"""

from __future__ import annotations

from lab import layout
from lab.checkpoint.freeze import bring_back, stands_on
from lab.checkpoint.manifest import Checkpoint
from lab.checkpoint.store import CheckpointDamaged, Store
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import busy
from lab.timing import Kind, spending


def frozen_state(lab: Lab) -> Checkpoint | None:
    """Return the checkpoint that the whole of `lab` was frozen as, or thawed from, if any.

    A lab of freshly booted machines has none, nor one whose machines began as one frozen guest.
    """
    key = stands_on(lab)
    try:
        found = Store().find(key) if key else None
    except CheckpointDamaged:  # the lab runs on, but nothing can begin from there again
        return None
    if found is None or found.manifest.topology.name != lab.topology.name:
        return None
    return found


def rewind(lab: Lab, checkpoint: Checkpoint) -> None:
    """Cut the power of every machine and let `lab` go on as it was at `checkpoint`.

    Rules, cuts and filters of the wire stay as they are. LabError when the checkpoint is damaged
    or gone, or a machine does not come back; the lab is good for nothing then but to be taken down.
    """
    with busy(lab.directory), spending(Kind.THAW):
        lab.wire.pause()
        lab.each(Machine.kill)
        for name in lab.machines:
            lab.placement(name).disk.unlink(missing_ok=True)
        layout.write_overlays(lab.directory, checkpoint.disks)
        bring_back(lab, checkpoint, new_generation=True)
