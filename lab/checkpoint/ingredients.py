"""What shapes a frozen lab, so that nothing is thawed that would be made otherwise today."""

from __future__ import annotations

import hashlib
import inspect
import platform
from pathlib import Path
from typing import Any

from lab import agent, domain
from lab.accelerator import Accelerator
from lab.checkpoint import identity
from lab.hypervisor import installed_versions
from lab.image import Image, seed
from lab.topology import Topology

#: Modules whose text shapes every guest.
_SHAPING = (domain, identity, seed, agent.program)


def ingredients(
    topology: Topology, image: Image, accelerator: Accelerator, **more: object
) -> dict[str, Any]:
    """Return everything that shapes a frozen lab; `more` is what was done to it since its boot."""
    sources = "".join(inspect.getsource(module) for module in _SHAPING)
    return {
        "topology": topology.model_dump(mode="json"),
        "image": image.key,
        "accelerator": accelerator.name,
        "cpu": _host_cpu() if accelerator.name == "kvm" else accelerator.cpu_model,
        "versions": installed_versions(),
        "sources": hashlib.sha256(sources.encode()).hexdigest(),
        **more,
    }


def _host_cpu() -> str:
    """Return what a guest under KVM sees of this host's processor.

    Its model and flags, and the kernel and its module's parameters, which say what KVM shows of it.
    """
    lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    told = [" ".join(line.split()) for line in lines if line.startswith(("model name", "flags"))]
    told.append(platform.release())
    for name in ("nested", "enable_pmu", "pmu"):
        for path in sorted(Path("/sys/module").glob(f"kvm*/parameters/{name}")):
            told.append(f"{path.parent.parent.name} {name} {path.read_text().strip()}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
