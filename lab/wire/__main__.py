"""`python -m lab.wire`: the wire's process, started by `lab.wire.client`, not by people."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path

from lab.errors import VpnproofError
from lab.guardian.line import WireLine
from lab.wire.port import Port
from lab.wire.process import Settings, run


def main(arguments: list[str]) -> int:
    """Run a wire; a failure to start is told to the owner, and makes the status 1."""
    parser = argparse.ArgumentParser(prog="python -m lab.wire", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="the lab's directory")
    parser.add_argument("--capture", type=Path, required=True, help="the pcapng file to write")
    parser.add_argument("--ports", type=json.loads, required=True, help="JSON list of ports")
    parser.add_argument("--seed", type=int, default=0, help="seed of the rules' random numbers")
    parser.add_argument("--owner-fd", type=int, required=True, help="connected Unix socket")
    parser.add_argument("--guardian-fd", type=int, required=True, help="line to the guardian")
    given = parser.parse_args(arguments)
    first_of_others = max(given.owner_fd, given.guardian_fd) + 1
    os.closerange(first_of_others, os.sysconf("SC_OPEN_MAX"))  # of whoever started the owner
    owner = socket.socket(fileno=given.owner_fd)
    owner.set_inheritable(False)
    line = WireLine(given.directory, given.guardian_fd)
    with owner:
        try:
            ports = [Port(**port) for port in given.ports]
            run(Settings(given.directory, given.capture, ports, given.seed, line), owner)
        except VpnproofError as error:
            if not line.serving:
                line.asked()  # nothing of the lab ran by this wire: its owner knows what to do
            answer = {"ok": False, "error": error.message, "hint": error.hint}
            try:
                owner.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:  # the owner is gone, or has its answer: the log is all that is left
                print(error, file=sys.stderr)  # noqa: T201 - this is the process' log
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
