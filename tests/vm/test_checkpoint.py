"""A real lab of two machines, frozen once and thawed twice side by side (LAB-04, LAB-05).

The tests share the two labs and run in the order they stand in.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence.capture import Capture, Frame
from lab.accelerator import choose
from lab.checkpoint import Checkpoint, Store, cold_start, freeze, ingredients, thaw
from lab.checkpoint.manifest import size_of
from lab.cli import collect_garbage
from lab.clock import NS
from lab.errors import LabError
from lab.image import prepare
from lab.lab import Lab
from lab.machine import Machine
from lab.paths import lab_directories
from lab.progress import Progress
from lab.topology import read_topology
from lab.wait import until
from lab.wire import processes_of

pytestmark = pytest.mark.vm
IN_MEMORY, ON_DISK = "/run/nonce", "/root/nonce"  # the first is on a tmpfs
YEAR_S = 365 * 86400

TOPOLOGY = """
name = "frozen"

[networks.lan]
ipv4 = "192.0.2.0/24"

[[machines]]
name = "one"
fqdn = "one.example.org"
roles = ["client"]
memory_mib = 384
nics = [{ network = "lan", ipv4 = "192.0.2.1" }]

[[machines]]
name = "two"
fqdn = "two.example.org"
roles = ["client"]
memory_mib = 384
nics = [{ network = "lan", ipv4 = "192.0.2.2" }]
"""

#: Holds a nonce in its memory, tells it to whoever connects, and counts aloud on the wire.
HOLDER = """
import select, socket, sys
nonce, peer, name = sys.argv[1:]
asked = socket.socket(socket.AF_UNIX)
asked.bind("/run/holder")
asked.listen()
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
count = 0
while True:
    if select.select([asked], [], [], 0.1)[0]:
        asked.accept()[0].sendall(nonce.encode())
    count += 1
    try:
        wire.sendto(f"<{name} count {count}>".encode(), (peer, 9999))
    except OSError:
        pass
"""
ASK = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/holder'); "
    "print(s.recv(99).decode())"
)
SAY = (
    "import socket, sys; "
    "socket.socket(type=socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), (sys.argv[2], 9998))"
)
OTHER = {"one": "192.0.2.2", "two": "192.0.2.1"}


@dataclass(frozen=True)
class Known:
    """What was known of a machine when it was frozen."""

    nonce: str
    boot_id: bytes
    machine_id: bytes
    holder: str
    booted_at: int


@dataclass(frozen=True)
class Scene:
    """The two labs, what they were thawed from, and what they were before."""

    first: Lab
    second: Lab
    checkpoint: Checkpoint
    before: dict[str, Known]
    captures: dict[str, Path]
    frozen_at: float
    thawed_at: float

    @property
    def machines(self) -> list[Machine]:
        return [*self.first.machines.values(), *self.second.machines.values()]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("evidence")
    captures = {name: place / f"{name}.pcapng" for name in ("old", "first", "second")}
    (place / "frozen.toml").write_text(TOPOLOGY)
    topology = read_topology(place / "frozen.toml")
    image, accelerator, progress = prepare("debian-12"), choose(), Progress()
    with cold_start(
        topology, image, accelerator, capture=captures["old"], progress=progress
    ) as lab:
        lab.each(lambda machine: set_back_a_year(lab, machine))
        lab.set_clock(lab.measure_clock())
        before = {name: leave_nonces(machine) for name, machine in lab.machines.items()}
        made_of = ingredients(topology, image, accelerator, nonce=secrets.token_hex())
        with progress.task("freezing two machines"):
            frozen_at = time.time()
            checkpoint = freeze(lab, made_of, "two machines that count", keep_running=False)
    thawed_at = time.time()
    with contextlib.ExitStack() as both:
        with pytest.MonkeyPatch.context() as without_logins:
            without_logins.setattr(Machine, "wait_until_up", refuse_to_log_in)
            first, second = (
                both.enter_context(
                    thaw(checkpoint, image, accelerator, capture=captures[name], progress=progress)
                )
                for name in ("first", "second")
            )
        yield Scene(first, second, checkpoint, before, captures, frozen_at, thawed_at)
    Store().remove(checkpoint.key)


def refuse_to_log_in(machine: Machine, _seconds: float) -> None:
    raise AssertionError(f"{machine.name} had to be logged in to, to be told the time")


def set_back_a_year(lab: Lab, machine: Machine) -> None:
    """Let a machine live a year ago: as if this host's clock were a year ahead when it is thawed.

    A certificate that is made then is good for a day.
    """
    with machine.agent(lab.placement(machine.name).channel) as agent:
        agent.move_clock(-YEAR_S * NS)
    machine.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        "-subj /CN=old -keyout /root/old.key -out /root/old.pem 2>/dev/null"
    )


def leave_nonces(machine: Machine) -> Known:
    nonce = secrets.token_hex(16)
    told = f"{nonce} {OTHER[machine.name]} {machine.name}"
    machine.put(HOLDER, "/root/holder.py")
    machine.run(f"systemd-run -q --unit=holder python3 /root/holder.py {told}")
    machine.run(f"echo {nonce} | tee {IN_MEMORY} > {ON_DISK}; sync")
    machine.run("until [ -S /run/holder ]; do sleep 0.1; done")
    return Known(
        nonce,
        boot_id(machine),
        machine.get("/etc/machine-id"),
        holder_of(machine),
        booted_at(machine),
    )


def boot_id(machine: Machine) -> bytes:
    return machine.get("/proc/sys/kernel/random/boot_id")


def booted_at(machine: Machine) -> int:
    """Return when a machine was booted, by its own clock: a leap of that would move it."""
    return int(machine.run("awk '/^btime/ {print $2}' /proc/stat").stdout)


def holder_of(machine: Machine) -> str:
    """Return the id of the process that holds the nonce, and when it was started."""
    return machine.run("cut -d ' ' -f 1,22 /proc/$(systemctl show -P MainPID holder)/stat").stdout


def counts(path: Path, *, forwarded: bool = False) -> set[tuple[str, bytes]]:
    """Return who counted to what in a recording; `forwarded`: only what reached the other."""
    found = set()
    for frame in Capture(path):
        # The other end quotes what it did not want: that is another frame.
        counted = f"<{frame.interface.partition('/')[0]} count ".encode()
        if counted in frame.data and not (forwarded and dropped(frame)):
            found.add((frame.interface, frame.data.rpartition(counted)[2]))
    return found


def dropped(frame: Frame) -> bool:
    return "dropped" in frame.comment


def test_memory_and_disks_are_as_they_were_frozen(scene: Scene) -> None:
    for machine in scene.machines:
        known = scene.before[machine.name]
        assert machine.run(f'python3 -c "{ASK}"').stdout.strip() == known.nonce
        assert machine.get(IN_MEMORY).decode().strip() == known.nonce
        assert machine.get(ON_DISK).decode().strip() == known.nonce


def test_no_machine_was_booted(scene: Scene) -> None:
    for machine in scene.machines:
        assert boot_id(machine) == scene.before[machine.name].boot_id
        assert holder_of(machine) == scene.before[machine.name].holder


def test_a_lab_goes_on_at_the_moment_it_was_frozen_at(scene: Scene) -> None:
    stood_still_s = scene.thawed_at - scene.frozen_at
    for lab in (scene.first, scene.second):
        assert lab.clock.uncertainty_ns < 2 * NS
        assert YEAR_S + stood_still_s - 5 < lab.clock.behind_s < YEAR_S + stood_still_s + 60
        for machine in lab.machines.values():
            now = machine.clock()
            assert abs(now.behind_ns - lab.clock.behind_ns) < lab.clock.uncertainty_ns + NS


def test_no_clock_has_leapt(scene: Scene) -> None:
    for machine in scene.machines:
        assert abs(booted_at(machine) - scene.before[machine.name].booted_at) <= 1


def test_a_certificate_does_not_grow_old_in_a_checkpoint(scene: Scene) -> None:
    for machine in scene.machines:
        verified = machine.run("openssl verify -CAfile /root/old.pem /root/old.pem", check=False)
        assert "OK" in verified.stdout, verified.output


def test_a_clock_that_is_asked_by_a_command_is_the_one_that_the_agent_tells(scene: Scene) -> None:
    machine = scene.second["two"]
    told = machine.clock()
    assert machine.channel is not None
    channel, machine.channel = machine.channel, None
    typed = machine.clock()
    machine.channel = channel
    assert abs(told.behind_ns - typed.behind_ns) <= told.uncertainty_ns + typed.uncertainty_ns + NS


def test_machines_that_began_as_one_guest_are_two(scene: Scene) -> None:
    one, two = scene.before["one"], scene.before["two"]
    assert one.machine_id != two.machine_id
    keys = {m.run("cat /etc/ssh/ssh_host_*_key.pub").stdout for m in scene.first.machines.values()}
    assert len(keys) == 2


def test_machines_thawed_from_one_checkpoint_draw_different_numbers(scene: Scene) -> None:
    drawn = [m.run("head -c 16 /dev/urandom | od -An -tx1").stdout for m in scene.machines]
    assert len(set(drawn)) == len(drawn)


def test_the_machines_of_a_lab_reach_each_other(scene: Scene) -> None:
    for lab in (scene.first, scene.second):
        assert lab["one"].run("ping -c 2 -W 5 192.0.2.2").status == 0


def test_labs_side_by_side_with_the_same_addresses_do_not_see_each_other(scene: Scene) -> None:
    said = {"first": secrets.token_hex(16), "second": secrets.token_hex(16)}
    for name, lab in (("first", scene.first), ("second", scene.second)):
        lab["one"].run(f'python3 -c "{SAY}" {said[name]} 192.0.2.2')
        lab.wire.flush()
    recorded = {
        name: b"".join(frame.data for frame in Capture(scene.captures[name])) for name in said
    }
    for name, other in (("first", "second"), ("second", "first")):
        assert said[name].encode() in recorded[name]
        assert said[name].encode() not in recorded[other]


def test_no_frame_of_the_old_run_is_on_the_new_wires(scene: Scene) -> None:
    old = counts(scene.captures["old"])
    assert old
    for name, lab in (("first", scene.first), ("second", scene.second)):
        lab.wire.flush()
        new = counts(scene.captures[name], forwarded=True)
        assert new
        assert not new & old
        assert min(frame.at_ns for frame in Capture(scene.captures[name])) > scene.thawed_at * 1e9


def test_a_machine_that_is_switched_on_begins_with_the_labs_time(scene: Scene) -> None:
    machine = scene.second["two"]
    assert machine.channel is not None
    with machine.agent(
        machine.channel
    ) as agent:  # systemd wants it to be later than its own making
        agent.move_clock((YEAR_S - 7200) * NS)
    scene.second.set_clock(machine.clock())
    for restart in (switch_off_and_on, press_reset):
        restart(machine)
        machine.wait_until_up()
        assert abs(machine.clock().behind_s - scene.second.clock.behind_s) < 3
    assert machine.channel is None


def switch_off_and_on(machine: Machine) -> None:
    machine.kill()
    machine.power_on()


def press_reset(machine: Machine) -> None:
    machine.reboot()


def test_a_checkpoint_that_labs_stand_on_is_not_removed(scene: Scene) -> None:
    with pytest.raises(LabError, match="is in use by frozen-"):
        Store().remove(scene.checkpoint.key)


def test_nothing_is_left_of_a_lab_whose_owner_is_killed_while_freezing_it(
    scene: Scene, tmp_path: Path
) -> None:
    """LAB-03: the checkpoint it stood on is still sound; of the new one there is nothing."""
    script = (
        "import os, sys; from lab.accelerator import choose; from lab.checkpoint import *\n"
        "from lab.image import prepare\n"
        "found = Store().find(sys.argv[1]); lab = thaw(found, prepare('debian-12'), choose())\n"
        "print(lab.directory, flush=True); os.environ['VPNPROOF_CACHE'] = sys.argv[2]\n"
        "freeze(lab, {'never': 'whole'}, 'never')\n"
    )
    store = Store(tmp_path / "checkpoints")  # its own: others may be freezing at this moment
    with subprocess.Popen(
        [sys.executable, "-c", script, scene.checkpoint.key, str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        directory = Path(owner.stdout.readline().decode().strip())
        until(lambda: size_of(store.directory) > 2**20, 60, "the freezing to begin", every=0.01)
        owner.kill()
    until(lambda: not processes_of(directory), 10, "the lab's processes to end")
    assert directory.name in collect_garbage()
    assert directory not in set(lab_directories())
    assert list(store) == []
    assert len(store.remove_abandoned()) == 1
    assert size_of(store.directory) == 0
    assert Store().find(scene.checkpoint.key) is not None


def test_nothing_is_left_of_a_lab_whose_owner_is_killed_while_thawing_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import sys; from lab.accelerator import choose; from lab.checkpoint import *\n"
        "from lab.image import prepare\n"
        "thaw(Store().find(sys.argv[1]), prepare('debian-12'), choose())\n"
    )
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setenv("VPNPROOF_LABS", place)

        def machines_begin() -> bool:
            """Say whether there is more than a guardian, a wire and a libvirt."""
            return any(len(processes_of(directory)) > 3 for directory in lab_directories())

        with subprocess.Popen([sys.executable, "-c", script, scene.checkpoint.key]) as owner:
            until(machines_begin, 60, "the thaw to begin", every=0.01)
            owner.kill()
        (directory,) = lab_directories()
        until(lambda: not processes_of(directory), 10, "the lab's processes to end")
        assert directory.name in collect_garbage()
        assert list(lab_directories()) == []
    assert Store().find(scene.checkpoint.key) is not None


def test_nothing_is_left_of_labs_that_were_taken_down(scene: Scene) -> None:
    for lab in (scene.first, scene.second):
        assert processes_of(lab.directory)
        lab.down()
        assert not processes_of(lab.directory)
        assert not lab.directory.exists()
