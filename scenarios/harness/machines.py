"""The lab in which the harness shows its own promises, and the programs that run in it.

Two machines of no guide. What is started in them is given to `python3` by a file in /root.
"""

from __future__ import annotations

import secrets
import shlex

from evidence.events.harness import NoncesFound, NoncesLeft
from lab.machine import Machine
from lab.wait import until
from provision.deploy import Guide
from provision.plan import Plan

NAME = "harness"
"""Of the folder, of the topology, and of the labs."""

GUIDE = Guide(NAME, lambda _topology, _platform: Plan(()), lambda _lab: None)
"""Nothing is deployed."""

OTHER = {"one": "two", "two": "one"}

_IN_MEMORY, _ON_DISK = "/run/nonce", "/root/nonce"  # the first is on a tmpfs

_HOLDER = """
import socket, sys
held = sys.argv[1]
asked = socket.socket(socket.AF_UNIX)
asked.bind("/run/holder")
asked.listen()
while True:
    asked.accept()[0].sendall(held.encode())
"""
_ASK = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/holder'); "
    "print(s.recv(99).decode())"
)

_SENDER = """
import socket, sys, time
nonce, address, port, first, end = *sys.argv[1:3], *map(int, sys.argv[3:])
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for number in range(first, end):
    there.sendto(f"{nonce}:{number};".encode(), (address, port))
    time.sleep(0.002)
"""
_HEARER = """
import pathlib, socket, sys
nonce, port, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("", port))
here.settimeout(20)
pathlib.Path("/run/hearing").touch()
heard = []
try:
    while True:
        said = here.recv(999).decode()
        if said.startswith(nonce + ":"):
            heard.append(said)
        here.settimeout(1 if len(set(heard)) >= most else 20)
except socket.timeout:  # a name of TimeoutError since Python 3.10 only; EL 9 has 3.9
    print(len(set(heard)), len(heard))
"""


def send(machine: Machine, nonce: str, address: str, port: int, numbers: range) -> None:
    """Let a machine send numbered datagrams, each with the nonce, one every 2 ms."""
    told = map(str, (nonce, address, port, numbers.start, numbers.stop))
    machine.put(_SENDER, "/root/sender.py")
    machine.run(f"python3 /root/sender.py {shlex.join(told)}", timeout=120)


def hear(machine: Machine, nonce: str, port: int, most: int) -> tuple[int, int]:
    """Return how many such datagrams come to a machine: different ones, and all in all.

    Ends a second after `most` different ones have come, or when nothing comes for 20 s.
    """
    machine.put(_HEARER, "/root/hearer.py")
    said = machine.run(f"python3 /root/hearer.py {nonce} {port} {most}", timeout=180).stdout
    different, count = map(int, said.split())
    return different, count


def wait_until_it_hears(machine: Machine) -> None:
    """Return when `hear` has begun to listen on a machine."""
    listening = "test -e /run/hearing"
    until(lambda: machine.run(listening, check=False).status == 0, 60, "a machine to listen")


def leave_nonces(machine: Machine) -> NoncesLeft:
    """Let a process and the disk of a machine hold a nonce each; return what is held."""
    memory, disk = secrets.token_hex(16), secrets.token_hex(16)
    machine.put(_HOLDER, "/root/holder.py")
    machine.run(f"systemd-run -q --unit=holder python3 /root/holder.py {memory}")
    machine.run(f"echo {memory} > {_IN_MEMORY}; echo {disk} > {_ON_DISK}; sync")
    until(
        lambda: machine.run("test -S /run/holder", check=False).status == 0,
        60,
        f"{machine.name} to hold a nonce",
        every=0.2,
    )
    return NoncesLeft.model_validate({"source": machine.name, **_held(machine)})


def find_nonces(machine: Machine, lab: str) -> NoncesFound:
    """Return what a machine holds in a lab that went on, or was thawed."""
    answers = machine.run("echo goes on", check=False).stdout == "goes on\n"
    told = {"source": machine.name, "lab": lab, "answers": answers}
    return NoncesFound.model_validate({**told, **_held(machine)})


def _held(machine: Machine) -> dict[str, str]:
    commands = {
        "memory": f'echo "$(python3 -c "{_ASK}") $(cat {_IN_MEMORY})"',
        "disk": f"cat {_ON_DISK}",
        "boot": "cat /proc/sys/kernel/random/boot_id",
        "process": "cut -d ' ' -f 1,22 /proc/$(systemctl show -P MainPID holder)/stat",
    }
    return {
        part: machine.run(command, check=False).stdout.strip() for part, command in commands.items()
    }
