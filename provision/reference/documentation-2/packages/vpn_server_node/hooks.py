"""What OpenVPN runs when a client comes and goes: the controller decides, and keeps the log.

Exit code 1 from client-connect is how OpenVPN refuses a client. So a controller that cannot be
asked means that nobody new gets in; who is connected stays.

What OpenVPN starts are shells that ask with curl (`hooks/hook.sh`): these programs do it where the
shell cannot, and `judge` what was answered to it.
"""

from __future__ import annotations

import os
import sys
import syslog
from collections.abc import Callable, Mapping

from vpn_lib_common import php_config
from vpn_lib_common.api_client import ApiClient, ApiRefusal
from vpn_lib_common.command import EXPECTED, describe
from vpn_lib_common.installation import ROOT
from vpn_server_node.curl_config import CALLS
from vpn_server_node.node import Node

_API_TIMEOUT_S = 30.0  # OpenVPN serves nobody else meanwhile
_Hook = Callable[[ApiClient, Mapping[str, str]], None]


def client_connect() -> int:
    """Ask the controller whether the client may connect."""
    return _run("client-connect", _connect)


def client_disconnect() -> int:
    """Tell the controller that the client has gone, and what it has transferred."""
    return _run("client-disconnect", _disconnect)


def judge() -> int:
    """Judge, for the hook that is named, the answer on stdin: the body, and the status below it."""
    name = sys.argv[1]
    body, _, status = sys.stdin.buffer.read().rpartition(b"\n")
    call = CALLS[name]
    return _run(name, lambda api, _: api.judge("POST", call, int(status), body))


def _run(name: str, hook: _Hook) -> int:
    syslog.openlog(name)
    try:
        config = php_config.read(Node(ROOT).config_file)
        hook(ApiClient.from_config(config, timeout=_API_TIMEOUT_S), os.environ)
    except ApiRefusal as refusal:
        _tell(name, syslog.LOG_WARNING, str(refusal))
        return 1
    except EXPECTED as error:
        _tell(name, syslog.LOG_ERR, describe(error))
        return 1
    return 0


def _connect(api: ApiClient, environment: Mapping[str, str]) -> None:
    api.post("connect", _lease(environment))


def _disconnect(api: ApiClient, environment: Mapping[str, str]) -> None:
    ended = int(environment["time_unix"]) + int(environment["time_duration"])
    transferred = int(environment["bytes_received"]) + int(environment["bytes_sent"])
    api.post(
        "disconnect",
        {
            **_lease(environment),
            "disconnected_at": str(ended),
            "bytes_transferred": str(transferred),
        },
    )


def _lease(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        "profile_id": environment["PROFILE_ID"],
        "common_name": environment["common_name"],
        "ip4": environment["ifconfig_pool_remote_ip"],
        "ip6": environment["ifconfig_pool_remote_ip6"],
        "connected_at": environment["time_unix"],
    }


def _tell(name: str, level: int, text: str) -> None:
    syslog.syslog(level, text)
    sys.stderr.write(f"{name}: {text}\n")
