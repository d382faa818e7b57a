"""The lab's guest agent: the real program, in a thread here, on a clock that is not this host's."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import agent
from lab.agent import Agent, program
from lab.clock import NS
from lab.errors import MachineError


class Guest:
    """Runs the agent's program behind a socket as QEMU opens it."""

    CLOCK_REALTIME = time.CLOCK_REALTIME
    gmtime = staticmethod(time.gmtime)

    def __init__(self, channel: Path) -> None:
        self.channel = channel
        self.behind = 60.0
        self.random: list[bytes] = []
        self.over = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(channel))
        self._listening.listen()
        self._thread = threading.Thread(target=self._run)

    def time(self) -> float:
        return time.time() - self.behind

    def clock_settime(self, _clock: int, now: float) -> None:
        self.behind = time.time() - now

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the socket is closed: the test is over
            while True:
                self._talk(self._listening.accept()[0])

    def _talk(self, connection: socket.socket) -> None:
        """Serve whoever has connected until they hang up, as the driver of the port shows it."""
        with connection:
            connection.setblocking(False)
            while not self.over.wait(0.002):
                program.serve(connection.fileno())
                with contextlib.suppress(BlockingIOError):
                    if not connection.recv(1, socket.MSG_PEEK):
                        program.serve(connection.fileno())
                        return

    def __enter__(self) -> Guest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guest]:
    with Guest(tmp_path / "one.agent") as guest:
        monkeypatch.setattr(program, "time", guest)
        monkeypatch.setattr(program, "_mix_in", guest.random.append)
        yield guest


def test_it_tells_the_time(guest: Guest) -> None:
    with Agent("one", guest.channel) as conversation:
        offset = conversation.clock()
    assert abs(offset.behind_ns - 60 * NS) <= offset.uncertainty_ns + 1000


def test_it_goes_on_for_the_next_who_asks(guest: Guest) -> None:
    for _ in range(3):
        with Agent("one", guest.channel) as conversation:
            assert conversation.clock().behind_s == pytest.approx(60, abs=5)


def test_what_was_begun_by_one_who_hung_up_is_forgotten(guest: Guest) -> None:
    with socket.socket(socket.AF_UNIX) as hasty:
        hasty.connect(str(guest.channel))
        hasty.sendall(b"move 99000000")
    with Agent("one", guest.channel) as conversation:
        assert conversation.clock().behind_s == pytest.approx(60, abs=5)


def test_it_mixes_in_randomness_and_leaves_the_clock_alone(guest: Guest) -> None:
    with Agent("one", guest.channel) as conversation:
        conversation.mix_in_randomness()
    assert [len(drawn) for drawn in guest.random] == [32]
    assert guest.behind == 60.0


@pytest.mark.parametrize("by_s", [60, -3600])
def test_it_moves_the_clock_only_when_told(guest: Guest, by_s: int) -> None:
    with Agent("one", guest.channel) as conversation:
        conversation.move_clock(by_s * NS)
    assert guest.behind == pytest.approx(60 - by_s, abs=0.5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"", "its channel was closed"), (b"what?\n", "is no time in nanoseconds")],
)
def test_an_answer_that_is_none_names_the_machine(tmp_path: Path, answer: bytes, told: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "one.agent"))
        listening.listen()
        with Agent("one", tmp_path / "one.agent") as conversation:
            guest, _ = listening.accept()
            with guest, ThreadPoolExecutor(1) as beside:
                beside.submit(lambda: (guest.recv(99), guest.sendall(answer), guest.shutdown(1)))
                with pytest.raises(MachineError, match=f"^one: .*{told}"):
                    conversation.clock()


def test_an_answer_to_an_earlier_question_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "one.agent"))
        listening.listen()
        with Agent("one", tmp_path / "one.agent") as conversation:
            guest, _ = listening.accept()
            guest.sendall(b"17\n")
            with guest, ThreadPoolExecutor(1) as beside:
                now_ns = time.time_ns()
                beside.submit(lambda: (guest.recv(99), guest.sendall(b"%d\n" % now_ns)))
                conversation.mix_in_randomness()
                beside.submit(lambda: (guest.recv(99), guest.sendall(b"%d\n" % now_ns)))
                assert abs(conversation._ask("").behind_s) < 60


def test_a_channel_that_does_not_open_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"^one: its channel .*none\.agent does not open"):
        Agent("one", tmp_path / "none.agent")


def test_one_that_is_silent_is_waited_for_until_its_deadline_or_until_given_up(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "one.agent"))
        silent.listen()
        for how in ({"seconds": 0.05}, {"given_up": lambda: True}):
            with (
                Agent("one", tmp_path / "one.agent", **how) as conversation,
                pytest.raises(MachineError, match="does not answer within"),
            ):
                conversation.clock()


def test_a_second_one_leaves_the_first_alone(tmp_path: Path) -> None:
    """A port that is served already refuses to be opened: that is no error."""
    busy = tmp_path / "sitecustomize.py"
    busy.write_text(
        "import errno, os\n"
        "def refuse(path, flags, *rest):\n"
        "    raise OSError(errno.EBUSY, 'busy')\n"
        "os.open = refuse\n"
    )
    done = subprocess.run(
        [sys.executable, "-", "/dev/null"],
        input=agent.SOURCE,
        env={"PYTHONPATH": str(tmp_path)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "said",
    [b"x" * 10**6, b"9" * 5000 + b"\n", b"-5\n", b"1_0\n", "٣\n".encode(), b"1\n2\n", b"\xff\n"],
    ids=["no line", "a long number", "negative", "python's", "not ascii", "two lines", "no text"],
)
def test_an_answer_that_is_no_time_is_an_error_and_not_waited_out(
    tmp_path: Path, said: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "one.agent"))
        listening.listen()
        with Agent("one", tmp_path / "one.agent") as conversation:
            guest, _ = listening.accept()
            with guest, ThreadPoolExecutor(1) as beside:
                beside.submit(lambda: (guest.recv(99), guest.sendall(said)))
                with pytest.raises(MachineError, match="one: its agent does not answer: b'"):
                    conversation._ask("")
                conversation._socket.close()


def test_one_that_talks_without_being_asked_is_not_listened_to_for_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "one.agent"))
        listening.listen()
        with Agent("one", tmp_path / "one.agent") as conversation:
            conversation._socket.close()
            conversation._socket = Endless()  # type: ignore[assignment]
            with pytest.raises(MachineError, match="talks without being asked"):
                conversation.clock()


class Endless:
    """A socket of a guest that never ends to talk."""

    def setblocking(self, _: bool) -> None: ...

    def settimeout(self, _: float) -> None: ...

    def recv(self, octets: int) -> bytes:
        return b"x" * octets

    def close(self) -> None: ...
