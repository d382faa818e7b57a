"""Where secrets stand, as it is searched: on each machine, and in the run's own evidence.

The machines are told what to look for by stdin, and answer where it stands, never what it is.
Nothing here judges.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from checks.multi_node.secrecy import OF_RUN, RUN
from evidence.events.installed import SecretFound, SecretsSearched
from evidence.history import History
from evidence.leaks import forms, pieces, search
from evidence.secret import Known, Secrets
from lab.answers import understood
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import busy
from lab.wait import until
from provision.multi_node.controller import CA, CONFIG

_PROGRAM = (Path(__file__).parent / "secret_hunt.py").read_text()
_PLACE, _UNIT = "/run/vpnproof-hunt", "vpnproof-hunt"
_SCRIPT = f"{_PLACE}/secret_hunt.py"
_STATE = "/var/lib/vpn-server-api"
_FILES = (f"{_STATE}/ta.key", f"{_STATE}/tls-crypt-*.key", f"{_STATE}/ca/*.key", f"{CA}/*.key")
_SECONDS = 600.0


@contextmanager
def watched(machines: Sequence[Machine]) -> Iterator[None]:
    """Note each command line on machines, for the block; nothing is left there afterwards."""
    for machine in machines:
        machine.run(f"rm -rf {_PLACE}; mkdir -m 700 {_PLACE}")
        machine.put(_PROGRAM, _SCRIPT, mode=0o600)
        machine.run(f"systemd-run -q --unit={_UNIT} python3 {_SCRIPT} watch {_PLACE}")
    try:
        for machine in machines:
            until(partial(_watches, machine), 60, f"{machine.name} to note command lines")
        yield
    finally:
        for machine in machines:
            machine.run(f"systemctl stop {_UNIT}; rm -rf {_PLACE}", check=False)


def _watches(machine: Machine) -> bool:
    return machine.run(f"[ -s {_PLACE}/command-lines ]", check=False).status == 0


def keep_all(history: History, controller: Machine) -> None:
    """Keep what only the controller knows with the run's secrets: what is to be looked for."""
    program = (
        f'$c = require "{CONFIG}"; $found = []; foreach ($c["apiConsumers"] as $name => $value)'
        ' { $found["API secret of " . $name] = $value; }'
        f" foreach (json_decode({json.dumps(json.dumps(_FILES))}) as $glob)"
        " { foreach (glob($glob) as $file) { $found[$file] = file_get_contents($file); } }"
        " echo json_encode($found);"
    )
    said = controller.run(f"php -r {shlex.quote(program)}").stdout
    with understood(controller.name, "its secrets"):
        found = {str(name): str(value) for name, value in json.loads(said).items()}
    Secrets(history.path.parent).keep(found)


def to_look_for(known: Iterable[Known]) -> list[tuple[str, str]]:
    """Return what each secret is, with each text that tells of it; public keys are none.

    Of a key each long line as it is; of all else every form, as in `evidence.leaks`.
    """
    found: dict[str, str] = {}
    for one in known:
        if one.value.startswith("ssh-") or " ssh-" in one.value:
            continue
        is_key = "\n" in one.value.strip()
        for part in pieces(one.value):
            every = [("plain", part.encode())] if is_key else forms(part)
            for _, text in every:
                found.setdefault(text.decode(), one.of)
    return [(name, text) for text, name in found.items()]


def search_machine(history: History, machine: Machine) -> None:
    """Record where secrets of the run stand on a machine that is watched."""
    wanted = to_look_for(Secrets(history.path.parent).known())
    names = tuple(sorted({name for name, _ in wanted}))
    command = f"python3 {_SCRIPT} search {_PLACE}"
    said = machine.run(command, stdin=json.dumps(wanted), timeout=_SECONDS).stdout
    with understood(machine.name, "where secrets stand"):
        seen = [
            SecretsSearched.model_validate({"source": machine.name, "secrets": names, **one})
            for one in json.loads(said)
        ]
    for one in seen:
        history.record(one)


def search_evidence(history: History, lab: Lab) -> None:
    """Record where secrets stand in the run's evidence so far, when nothing is timed."""
    directory = history.path.parent
    known = Secrets(directory).known()
    with busy(lab.directory):
        found = search(directory, known)
    names = {name for name, _ in to_look_for(known)}
    history.record(
        SecretsSearched(
            source=RUN,
            where=OF_RUN,
            secrets=tuple(sorted(names)),
            searched=found.files,
            found=tuple(
                SecretFound(secret=one.secret, at=f"{one.file} ({one.form})") for one in found.leaks
            ),
            unread=found.unread,
        )
    )
