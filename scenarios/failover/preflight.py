"""The preflight, made on the lab's own nodes: what `checks/preflight/probe.py` sees there.

The program is the one that an operator copies to two hosts; here it is copied to the pair. It uses
a VHID of its own, so that the pair's heartbeat and it leave each other alone.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from checks.preflight import probe as preflight_probe
from checks.preflight.records import Listened, Sent, observations
from evidence.events.pair import Profile
from evidence.events.preflight import Observations, PreflightObserved
from lab.answers import understood
from lab.quiet import quiet
from lab.wait import until
from scenarios.failover.pair import Pair

TEST_VHID = 193
_ROUNDS, _PAUSE_S, _LISTEN_S = 8, 0.25, 25
_PROGRAM = "/run/preflight_probe.py"
_HEARD, _SAID = "/run/preflight-heard.json", "/run/preflight-listening"


def observed(pair: Pair, sender: str, receiver: str) -> Observations:
    """Let one node send and the other listen; return what was seen."""
    program = Path(preflight_probe.__file__).read_text()
    for node in (sender, receiver):
        pair.machine(node).put(program, _PROGRAM)
    listener = pair.machine(receiver)
    with quiet(pair.lab.directory):  # nobody keeps the sender waiting while the other listens
        said = _sent(pair, sender, receiver)
    with understood(sender, "the preflight's record"):
        sent = Sent.model_validate_json(said)
    until(
        lambda: listener.run(f"test -e {_HEARD}", check=False).status == 0,
        _LISTEN_S + 30,
        f"the preflight's record on {receiver}",
        every=0.5,
    )
    record = listener.get(_HEARD)
    with understood(receiver, "the preflight's record"):
        heard = Listened.model_validate_json(record)
    (seen,) = observations([sent, heard])
    return seen


def _sent(pair: Pair, sender: str, receiver: str) -> str:
    """Let one node send while the other listens; return what it says that it sent."""
    listener = pair.machine(receiver)
    listener.run(
        f"rm -f {_HEARD} {_SAID}; setsid python3 {_PROGRAM} listen --interface "
        f"{pair.lab.interface(receiver, 0)} --seconds {_LISTEN_S} >{_HEARD}.part 2>{_SAID} "
        f"</dev/null && mv {_HEARD}.part {_HEARD} &"
    )
    until(
        lambda: listener.run(f"cat {_SAID}", check=False).stdout.startswith("listening"),
        30,
        f"the preflight to listen on {receiver}",
        every=0.3,
    )
    sending = shlex.join(
        [
            *("python3", _PROGRAM, "send", "--interface", pair.lab.interface(sender, 0)),
            *("--to", pair.address(receiver)),
            *("--vhid", str(TEST_VHID), "--rounds", str(_ROUNDS), "--pause", str(_PAUSE_S)),
        ]
    )
    return pair.machine(sender).run(sending).stdout


def record(pair: Pair, profile: Profile) -> Observations:
    """Make a preflight from the primary to the secondary and record it under `profile`."""
    seen = observed(pair, "primary", "secondary")
    pair.history.record(PreflightObserved.of(seen, source="secondary", profile=profile))
    return seen
