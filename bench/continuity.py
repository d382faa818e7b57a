"""Whether a frozen lab goes on as if nothing had happened: thawed, and rewound in place.

The failover pair, with two OpenVPN tunnels up, is frozen once. Then it is thawed and watched, as
often as wanted; and the last thawed lab is rewound and watched, as often. Figures are over all of
them, of thaws and of rewinds apart:

- `first_advertisement_s`: from the machines' start to the primary's first one, the longest.
- `longest_gap_s`: between two of the primary's advertisements, from the first one on.
- `standby_advertisements`: how many the standby sent, in all. One would be a change of role.
- `lost_pings`: of a ping through each tunnel, as soon as it is looked at.
- `handshakes`: of the tunnels since they were frozen, counted in their clients' logs.
- `restarts`: of services' processes on both nodes since they were frozen.
- `behind_s`, `uncertainty_s`: the lab's clock, at the last; the widest uncertainty of all.

What ends in order: 0 standby advertisements, gaps of at most 1.2 s, no ping lost, no handshake, no
restart. The benchmark measures and does not judge.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from evidence.capture import Capture
from evidence.history import FILE_NAME, History
from evidence.moment import NS
from evidence.packets import parse
from lab.accelerator import Accelerator, choose
from lab.checkpoint import Checkpoint, Store, freeze, ingredients, thaw
from lab.checkpoint.rewind import rewind
from lab.image import Image, prepare
from lab.lab import Lab
from lab.progress import Progress
from lab.wait import pause
from provision.deploy import Deployer, guide_named
from provision.failover.site import Site
from scenarios.failover.pair import HEARTBEAT, Pair
from scenarios.failover.tunnels import Outside, RoamingClient

summary = "a frozen failover pair goes on: thaws and rewinds, watched"

_WATCHED_S = 10.0
_CLIENTS = (RoamingClient("alice", "udp", 1), RoamingClient("bob", "tcp", 1))
#: Of each process that serves: its name, and when it was started, in ticks since the boot.
_SERVING = (
    "for pid in $(pgrep -x 'openvpn|ucarp|keepalived') $(systemctl show -P MainPID openvpnas); do "
    'echo "$pid $(cut -d " " -f 2,22 /proc/$pid/stat)"; done | sort'
)
_HANDSHAKES = "cat /var/log/vpn-clients/*.log | grep -c -e 'Initial packet' -e 'soft reset' || true"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how often, and on what."""
    parser.add_argument("--times", type=int, default=5, help="thaws, and rewinds (%(default)s)")
    parser.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Freeze the pair once, thaw and rewind it, and return the figures."""
    progress = Progress()
    accelerator = choose(arguments.accel)
    image = prepare(arguments.image, progress=progress, accelerator=accelerator)
    deployer = Deployer(guide_named("failover"), image, accelerator, progress)
    with (
        tempfile.TemporaryDirectory(prefix="vpnproof-bench-") as folder,
        deployer.deploy() as lab,
        _frozen(lab, Path(folder)) as (checkpoint, before),
    ):
        series = _Series(checkpoint, before, image, accelerator, progress)
        thaws = [series.thaw(Path(folder), number) for number in range(1, arguments.times)]
        last, rewinds = series.thaw_and_rewind(Path(folder), arguments.times)
    return {
        "times": arguments.times,
        **_figures("thaw", [*thaws, last]),
        **_figures("rewind", rewinds),
    }


@dataclass(frozen=True)
class _Series:
    """Thaws and rewinds of one checkpoint."""

    checkpoint: Checkpoint
    before: _Before
    image: Image
    accelerator: Accelerator
    progress: Progress

    def thaw(self, folder: Path, number: int) -> _Seen:
        """Thaw the lab once, and watch it."""
        with self._thawed(folder, number) as (_, seen):
            return seen

    def thaw_and_rewind(self, folder: Path, times: int) -> tuple[_Seen, list[_Seen]]:
        """Thaw the lab, rewind it so many times, and watch it each time."""
        rewinds = []
        with self._thawed(folder, times) as (lab, first):
            for number in range(1, times + 1):
                rewind(lab, self.checkpoint)
                rewinds.append(_watch(lab, folder / f"{times}.pcapng", self.before))
                self.progress.say(f"rewind {number}: {rewinds[-1]}")
        return first, rewinds

    @contextmanager
    def _thawed(self, folder: Path, number: int) -> Iterator[tuple[Lab, _Seen]]:
        capture = folder / f"{number}.pcapng"
        with thaw(self.checkpoint, self.image, self.accelerator, capture=capture) as lab:
            seen = _watch(lab, capture, self.before)
            self.progress.say(f"thaw {number}: {seen}")
            yield lab, seen


@dataclass(frozen=True)
class _Before:
    """What was known when the lab was frozen: processes by node, handshakes of the clients."""

    serving: Mapping[str, str]
    handshakes: int


@dataclass(frozen=True)
class _Seen:
    """What was seen of one thaw or rewind."""

    first_advertisement_s: float
    longest_gap_s: float
    standby_advertisements: int
    lost_pings: int
    handshakes: int
    restarts: int
    behind_s: float
    uncertainty_s: float


@contextmanager
def _frozen(lab: Lab, folder: Path) -> Iterator[tuple[Checkpoint, _Before]]:
    """Bring two tunnels up and freeze the lab, under a key of its own; removed at the end."""
    with History(folder / FILE_NAME, "bench") as history, Pair(lab, history) as pair:
        Outside(pair).connect(*_CLIENTS)
    before = _Before(_serving(lab), _handshakes(lab))
    made_of = ingredients(lab.topology, lab.image, lab.accelerator, nonce=secrets.token_hex())
    checkpoint = freeze(lab, made_of, "two tunnels up, for a benchmark", keep_running=False)
    try:
        yield checkpoint, before
    finally:
        lab.down()  # it stands on the checkpoint
        Store().remove(checkpoint.key)


def _watch(lab: Lab, capture: Path, before: _Before) -> _Seen:
    """Ask for a ping in each tunnel, watch the wire, then look what has changed."""
    lost = sum(not _pings(lab, one) for one in _CLIENTS)
    pause(max(0.0, _WATCHED_S - (time.time_ns() - lab.started_ns) / NS))
    lab.wire.flush()
    primary, standby = (
        _advertised(lab, node.name, capture) for node in Site.of(lab.topology).nodes
    )
    serving = _serving(lab)
    return _Seen(
        first_advertisement_s=round((primary[0] - lab.started_ns) / NS, 2),
        longest_gap_s=round(max(later - one for one, later in pairwise(primary)) / NS, 3),
        standby_advertisements=len(standby),
        lost_pings=lost,
        handshakes=_handshakes(lab) - before.handshakes,
        restarts=sum(serving[node] != was for node, was in before.serving.items()),
        behind_s=round(lab.clock.behind_s, 3),
        uncertainty_s=round(lab.clock.uncertainty_ns / NS, 4),
    )


def _advertised(lab: Lab, node: str, capture: Path) -> list[int]:
    """Return when (ns) a node sent an advertisement since the lab was started."""
    since_ns = lab.started_ns - lab.started_uncertainty_ns
    sent = []
    for frame in Capture(capture):
        packet = parse(frame.data)
        ours = frame.at_ns > since_ns and frame.interface == lab.topology.port(node, 0)
        if ours and packet is not None and packet.protocol == HEARTBEAT:
            sent.append(frame.at_ns)
    return sorted(sent)


def _pings(lab: Lab, one: RoamingClient) -> bool:
    """Ping the far end of a client's tunnel, once."""
    command = (
        f"net=$(ip -n {one.name} -4 route show dev tun0 scope link | awk 'NR == 1 {{print $1}}'); "
        "far=$(echo $net | sed 's|[0-9]*/.*|1|'); "
        f'ip netns exec {one.name} ping -n -c 1 -W 5 "$far"'
    )
    return lab[Site.of(lab.topology).client.name].run(command, check=False).status == 0


def _serving(lab: Lab) -> dict[str, str]:
    nodes = [node.name for node in Site.of(lab.topology).nodes]
    return {node: lab[node].run(_SERVING).stdout for node in nodes}


def _handshakes(lab: Lab) -> int:
    client = lab[Site.of(lab.topology).client.name]
    return int(client.run(_HANDSHAKES).stdout)


def _figures(kind: str, seen: Sequence[_Seen]) -> dict[str, object]:
    """Put what was seen of all thaws, or of all rewinds, into one figure each."""
    of_all: dict[str, Callable[[list[float]], float]] = {
        "first_advertisement_s": max,
        "longest_gap_s": max,
        "standby_advertisements": sum,
        "lost_pings": sum,
        "handshakes": sum,
        "restarts": sum,
        "behind_s": lambda values: values[-1],
        "uncertainty_s": max,
    }
    return {
        f"{kind}_{name}": join([cast(float, getattr(one, name)) for one in seen])
        for name, join in of_all.items()
    }
