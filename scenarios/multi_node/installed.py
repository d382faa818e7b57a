"""What stands on the machines, as it is looked at: certificates, keys, profiles, software.

No secret leaves a machine: of a key its first line, or a digest. Nothing here judges.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping

from checks.multi_node.converted import ASKED
from evidence.events.installed import (
    Credential,
    CredentialsShown,
    InstallationShown,
    NodeConfigured,
    TlsCryptKey,
    TlsCryptKeysShown,
)
from evidence.history import History
from lab.answers import understood
from lab.machine import Machine
from provision.multi_node.controller import CA, CONFIG, DAEMON_KEYS
from provision.multi_node.nodes import CONFIG as NODE_CONFIG
from provision.multi_node.requirements import HOME
from provision.platform import Platform

SHARED_KEY = "/var/lib/vpn-server-api/ta.key"
SERVER_FILES = "/etc/openvpn/server"
_MARK = "@@@"
_UNITS = "openvpn-server@"
_KEY_LINE = re.compile("[0-9a-f]{32}")
_CREDENTIALS: Mapping[str, tuple[str, str]] = {
    "ca.crt": ("authority", "certificate"),
    "ca.key": ("authority", "key"),
    "vpn-daemon-client.crt": ("client", "certificate"),
    "vpn-daemon-client.key": ("client", "key"),
    "vpn-daemon.crt": ("server", "certificate"),
    "vpn-daemon.key": ("server", "key"),
}
"""What vpn-ca and the guide call the files."""


def credentials_of_controller() -> dict[str, tuple[str, str]]:
    """Return where certificates and keys are made, and where they are used, by path."""
    used = ("ca.crt", "vpn-daemon-client.crt", "vpn-daemon-client.key")
    made = {f"{CA}/{name}": what for name, what in _CREDENTIALS.items()}
    return made | {f"{DAEMON_KEYS}/{name}": _CREDENTIALS[name] for name in used}


def credentials_of_node(platform: Platform) -> dict[str, tuple[str, str]]:
    """Return where a node's certificates and key are used, and where they were copied to first."""
    copied = ("ca.crt", "vpn-daemon.crt", "vpn-daemon.key")
    return {f"{HOME}/{name}": _CREDENTIALS[name] for name in copied} | {
        platform.vpn_daemon_ca: ("authority", "certificate"),
        platform.vpn_daemon_certificate: ("server", "certificate"),
        platform.vpn_daemon_key: ("server", "key"),
    }


def credentials(history: History, machine: Machine, paths: Mapping[str, tuple[str, str]]) -> None:
    """Record which of these files are there, whose they are, and what is in certificates."""
    command = "\n".join(
        f"[ ! -e {path} ] || {{ printf '\\n{_MARK} %s\\n' \"$(stat -L -c '%a %U %G %n' {path})\"; "
        f"{'head -n 1' if what == 'key' else 'cat'} {path}; }}"
        for path, (_, what) in paths.items()
    )
    said = machine.run(command).stdout
    with understood(machine.name, "which certificates and keys it has"):
        seen = CredentialsShown(source=machine.name, files=tuple(_credentials(said, paths)))
    history.record(seen)


def _credentials(said: str, paths: Mapping[str, tuple[str, str]]) -> Iterator[Credential]:
    for part in f"\n{said}".split(f"\n{_MARK} ")[1:]:
        head, _, text = part.partition("\n")
        mode, owner, group, path = head.split(" ", 3)
        of, what = paths[path]
        yield Credential.model_validate(
            {
                "of": of,
                "what": what,
                "path": path,
                "mode": mode,
                "owner": owner,
                "group": group,
                "text": text.strip(),
            }
        )


def node_config(history: History, node: Machine) -> None:
    """Record a node's profileList, as PHP reads it."""
    program = (
        f'$c = require "{NODE_CONFIG}"; '
        'echo json_encode(isset($c["profileList"]) ? $c["profileList"] : null);'
    )
    said = node.run(f"php -r {shlex.quote(program)}").stdout
    with understood(node.name, "its profileList"):
        seen = NodeConfigured(source=node.name, profile_list=json.loads(said))
    history.record(seen)


def tls_crypt_keys(history: History, machine: Machine, paths: str) -> None:
    """Record the digests of the TLS Crypt keys in files: keys alone, or configurations."""
    command = (
        f'for file in {paths}; do [ -e "$file" ] || continue; '
        f"printf '{_MARK} %s\\n' \"$file\"; tr -d '\\r' <\"$file\" | "
        "grep -xE '[0-9a-f]{32}' | sha256sum; done"
    )
    said = machine.run(command).stdout
    with understood(machine.name, "the digests of its TLS Crypt keys"):
        keys = tuple(_keys(said))
    history.record(TlsCryptKeysShown(source=machine.name, keys=keys))


def _keys(said: str) -> Iterator[TlsCryptKey]:
    for part in f"\n{said}".split(f"\n{_MARK} ")[1:]:
        path, _, digest = part.partition("\n")
        digest = digest.split()[0]
        yield TlsCryptKey(path=path, digest="" if digest == _digest([]) else digest)


def key_in(profile: str) -> str:
    """Return the digest of the TLS Crypt key in a configuration, "" when there is none."""
    inside, closed, _ = profile.partition("<tls-crypt>")[2].partition("</tls-crypt>")
    lines = inside.splitlines() if closed else []
    found = [line.strip() for line in lines if _KEY_LINE.fullmatch(line.strip())]
    return _digest(found) if found else ""


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def installation(history: History, machine: Machine, platform: Platform) -> None:
    """Record what is installed on a machine, and what runs there of OpenVPN and the web server."""
    look = 'case $what in /*) [ -e "$what" ] ;; *) command -v "$what" >/dev/null 2>&1 ;; esac'
    wants = f"/etc/systemd/system/*.wants/{_UNITS}*"
    command = "\n".join(
        [
            f'for what in {shlex.join(ASKED)}; do {look} && echo "present $what"; done',
            # what failed stays listed; what would be started at the next boot has a link
            f"systemctl list-units --all --plain --no-legend '{_UNITS}*' |"
            " awk '$3 ~ /^(active|activating|reloading)$/ {print \"unit \" $1}'",
            f'for link in {wants}; do [ ! -L "$link" ] || echo "unit ${{link##*/}}"; done',
            'for pid in $(pidof openvpn); do echo "process $pid"; done',
            f'for file in {SERVER_FILES}/*; do [ ! -e "$file" ] || echo "file ${{file##*/}}"; done',
            f'echo "web $(systemctl is-active {platform.apache})"',
            f'[ ! -e {CONFIG} ] || echo "config $(sha256sum <{CONFIG})"',
            "true",
        ]
    )
    said = machine.run(command).stdout
    with understood(machine.name, "what is installed there"):
        seen = read_installation(machine.name, said)
    history.record(seen)


def read_installation(machine: str, said: str) -> InstallationShown:
    """Read what `installation` asks for; ValueError when the web server is not spoken of."""
    rows = [line.partition(" ")[::2] for line in said.splitlines()]
    told = {word: [rest for first, rest in rows if first == word] for word, _ in rows}
    (web,) = told.get("web", [])
    (config,) = told.get("config", [""])
    return InstallationShown(
        source=machine,
        asked=ASKED,
        present=tuple(told.get("present", ())),
        units=tuple(sorted(set(told.get("unit", ())))),
        processes=len(told.get("process", ())),
        files=tuple(told.get("file", ())),
        web=web,
        config=config.partition(" ")[0],
    )
