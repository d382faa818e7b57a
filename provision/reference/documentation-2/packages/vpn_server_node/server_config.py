"""``vpn-server-node-server-config``: OpenVPN's files for every profile this node deploys.

Asks the controller for the profiles and for one certificate a profile. Only when all answers are
there are files written, each whole: a failure leaves what was there.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vpn_lib_common import php_config
from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import finish
from vpn_lib_common.installation import ROOT
from vpn_lib_common.lasting import names_to_disk, to_disk
from vpn_lib_common.profile import Profile, ProfileError
from vpn_server_node import curl_config
from vpn_server_node.addresses import check_apart, shares
from vpn_server_node.node import Node
from vpn_server_node.openvpn import Process, Surroundings, configuration

_PROFILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_LISTENING = re.compile(r"(udp|tcp)/([0-9]{1,5})")
_LAST_PORT = 65535
_API_TIMEOUT_S = 180.0  # the controller makes an RSA key; emulated processors take their time


def main() -> int:
    """Run the command; return its exit code."""
    argparse.ArgumentParser(prog="vpn-server-node-server-config").parse_args()
    return finish(lambda: generate(Node(ROOT)))


def generate(node: Node) -> None:
    """Write one ``PROFILE-N.conf``, mode 0600, for every process of every selected profile."""
    config = _config(node)
    api = ApiClient.from_config(config, timeout=_API_TIMEOUT_S)
    user, group = (config.get(name, "openvpn") for name in ("vpnUser", "vpnGroup"))
    surroundings = Surroundings(
        user, group, node.hooks, use_daemon=bool(config.get("useVpnDaemon", False))
    )
    files: dict[str, str] = {}
    listed = dict(api.get("profile_list"))
    check_apart(Profile(name, options) for name, options in listed.items())
    for profile in selected(config, listed):
        # Before the certificate is asked for: a profile that is wrong costs none.
        started = list(processes(profile))
        keys = api.post("add_server_certificate", _wanted(profile))
        for process in started:
            name = f"{profile.profile_id}-{process.number}.conf"
            files[name] = configuration(process, surroundings, keys)
    for name, text in files.items():
        write_privately(node.openvpn_directory / name, text)


def _config(node: Node) -> Mapping[str, Any]:
    """Read the configuration, and keep what the hooks need of it."""
    text = node.config_file.read_bytes() if node.config_file.exists() else b""
    config = php_config.read(node.config_file)
    curl_config.keep(node, text, config)
    return config


def processes(profile: Profile) -> Iterator[Process]:
    """Yield a profile's processes, in the order of its ``vpnProtoPorts``."""
    for number, (listening, share) in enumerate(zip(profile["vpnProtoPorts"], shares(profile))):
        match = _LISTENING.fullmatch(str(listening))
        if match is None or not 1 <= int(match[2]) <= _LAST_PORT:
            raise ProfileError(f'"{listening}" is not a protocol and a port')
        yield Process(profile, number, match[1], int(match[2]), share)


def selected(config: Mapping[str, Any], listed: Mapping[str, Any]) -> Iterator[Profile]:
    """Yield the profiles that this node deploys; ProfileError for a name that is no file's."""
    wanted = php_config.texts(config, "profileList")
    for name, options in dict(listed).items():
        if not wanted or name in wanted:
            if _PROFILE_ID.fullmatch(name) is None:
                raise ProfileError(f"{name!r} cannot be a profile's name: it is a file's, too")
            yield Profile(name, options)


def _wanted(profile: Profile) -> dict[str, str]:
    now = datetime.now(timezone.utc)
    return {
        "profile_id": profile.profile_id,
        "common_name": f"{now:%Y%m%d%H%M%S}.{profile.profile_id}",
    }


def write_privately(path: Path, text: str) -> None:
    """Write a file whole, for its owner alone."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".draft")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
            file.write(text)
            to_disk(file)
        Path(draft).replace(path)
        names_to_disk(path.parent)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
