"""The least that bringing a frozen lab back can take here: a bare restore of the same files.

Everything a thaw does beside `virDomainRestore` (disks, ports, wire, clocks) is left out of the
measured time, or not done.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from lab import layout
from lab.accelerator import Accelerator
from lab.checkpoint import Checkpoint
from lab.checkpoint.saveimage import SaveImage
from lab.domain import moved_xml
from lab.image import Image
from lab.lab import Lab, assembling


def restore_seconds(checkpoint: Checkpoint, image: Image, accelerator: Accelerator) -> float:
    """Return the seconds from the first restore to the last machine's processors running."""
    topology = checkpoint.manifest.topology
    with assembling(topology, image, accelerator, None, None) as (directory, open_lab):
        (directory / "consoles").mkdir(mode=0o700)
        (directory / "keys").mkdir(mode=0o700)
        layout.write_overlays(directory, checkpoint.disks)
        (directory / "seeds").symlink_to(checkpoint.directory / "seeds")
        lab = open_lab(checkpoint.manifest.host_keys)
        seconds = _restore_all(lab, checkpoint)
    lab.down()
    return seconds


def _restore_all(lab: Lab, checkpoint: Checkpoint) -> float:
    moved = {
        name: moved_xml(
            SaveImage.read(checkpoint.memory(name)).xml,
            layout.placement(lab.directory, lab.state, name),
        )
        for name in lab.machines
    }

    def restore(name: str) -> None:
        lab.hypervisor.restore(checkpoint.memory(name), moved[name])
        lab.hypervisor.resume(name)

    with ThreadPoolExecutor(len(moved)) as pool:
        started = time.monotonic()
        for done in [pool.submit(restore, name) for name in moved]:
            done.result()
        return time.monotonic() - started
