"""Labs that are asked for by files and images that are wrong, and what is said and done then.

Each is asked for by the command that a person types, in directories of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from evidence.events.harness import LabRefused, Wanted
from evidence.history import History

PROJECT = Path(__file__).parents[2]
_RIGHT = """
name = "asked"

[networks.lan]
ipv4 = "192.0.2.0/24"

[[machines]]
name = "one"
fqdn = "one.example.org"
roles = ["client"]
memory_mib = 256
nics = [{ network = "lan", ipv4 = "192.0.2.1" }]
"""
_SECOND = _RIGHT[_RIGHT.index("[[machines]]") :].replace("192.0.2.1", "192.0.2.2")


@dataclass(frozen=True)
class Asked:
    """A lab that is asked for. wanted: key, value and right, as words of the refusal.

    arguments: of `python -m lab up`, behind the topology; "" is the file with `content`.
    """

    wanted: tuple[str, str, str]
    content: str = _RIGHT
    topology: str = ""
    arguments: tuple[str, ...] = ()
    open_images: bool = field(default=False)


ASKED: Mapping[str, Asked] = {
    "a key that is none": Asked(
        ("machines.one.rolls", "['client']", "field required"),
        _RIGHT.replace("roles", "rolls"),
    ),
    "an address outside its network": Asked(
        ("machines.one.nics.0.ipv4", "8.8.8.8", "inside 192.0.2.0/24"),
        _RIGHT.replace("192.0.2.1", "8.8.8.8"),
    ),
    "one name twice": Asked(
        ("machines.one", "used 2 times", "expected once"), f"{_RIGHT}\n{_SECOND}"
    ),
    "a network that is none": Asked(
        ("machines.one.nics.0.network", "'wan'", "expected one of: lan"),
        _RIGHT.replace('network = "lan"', 'network = "wan"'),
    ),
    "no such topology": Asked(("topology", "'atlantis'", "there are: "), topology="atlantis"),
    "no such image": Asked(
        ("image", "'atlantis'", "known images: "), arguments=("--image", "atlantis")
    ),
    "images that others may write to": Asked(
        ("images", "cannot be trusted", "chmod go-w"), open_images=True
    ),
}


def record_refusals(history: History) -> None:
    """Ask for each of them, side by side, and record what came of it."""
    with ThreadPoolExecutor(2) as beside:
        for done in [beside.submit(refused, case, asked) for case, asked in ASKED.items()]:
            history.record(done.result())


def refused(case: str, asked: Asked) -> LabRefused:
    """Ask for a lab, and return what was said, and what there was of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="vpr", dir="/var/tmp") as name:
        place = Path(name)
        labs, cache, file = place / "labs", place / "cache", place / "asked.toml"
        labs.mkdir(mode=0o700)
        (cache / "images").mkdir(parents=True)
        (cache / "images").chmod(0o777 if asked.open_images else 0o700)
        file.write_text(asked.content)
        topology = asked.topology or str(file)
        done = subprocess.run(
            [sys.executable, "-m", "lab", "up", topology, "--accel=tcg", *asked.arguments],
            cwd=PROJECT,
            env=os.environ | {"VPNPROOF_LABS": str(labs), "VPNPROOF_CACHE": str(cache)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        started = sorted(path.name for path in labs.iterdir() if not path.name.startswith("."))
        told = asked.content is not _RIGHT or asked.open_images
        return LabRefused(
            source="scenario",
            case=case,
            wanted=_wanted(asked, (cache / "images" if asked.open_images else file), told),
            status=done.returncode,
            said=done.stdout + done.stderr,
            started=tuple(started),
        )


def _wanted(asked: Asked, file: Path, told: bool) -> Wanted:
    key, value, right = asked.wanted
    return Wanted(file=str(file) if told else "", key=key, value=value, right=right)
