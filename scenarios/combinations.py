"""Runs the combinations of a matrix one after the other: each fills the machine by itself.

Each is a pytest of its own, in a process group of its own: Ctrl-C comes to this process alone,
which passes it on once, and begins no other combination. If this process is killed, so is what it
started: by the kernel, and labs by those who watch over them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.combinations import OUTCOMES, Combination, Outcome, Outcomes
from evidence.printable import visible
from lab.cache import replacing
from scenarios.matrix import EVIDENCE
from scenarios.run import COMMAND_OF_RUN, EVIDENCE_OF_RUN, TERMINAL_OF_RUN

WHY = "VPNPROOF_WHY_NOT"
"""The file in which a combination's pytest says why it cannot run."""

_OWN = (COMMAND_OF_RUN, EVIDENCE_OF_RUN, TERMINAL_OF_RUN)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_LONGEST = 400
_ENDED = {
    2: "it was broken off",
    3: "pytest broke down",
    4: "pytest did not begin",
    5: "no scenario was there to run",
}


class Breaking:
    """Whether the run is to end, and the process that is to be told."""

    def __init__(self) -> None:
        self.asked = False
        self._running: subprocess.Popen[bytes] | None = None

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Take Ctrl-C, SIGTERM and a lost terminal for a wish to end the run in order."""
        before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command to its end, whoever is to be told meanwhile; return its exit status."""
        self._running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=environment,
            process_group=0,
            preexec_fn=_end_with_parent,
        )
        if self.asked:  # just before it was there to be told
            self._tell()
        return self._running.wait()

    def _ask(self, *_: object) -> None:
        self.asked = True
        if self._running is not None and self._running.poll() is None:
            self._tell()

    def _tell(self) -> None:
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGINT)


class WhyNot:
    """A plugin of a combination's pytest: it keeps why that could not run, if it could not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        """Keep what makes no sense, or cannot be had."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self._keep(error)
            raise

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep what went wrong outside of any scenario."""
        self._keep(excinfo.value)

    def _keep(self, error: BaseException) -> None:
        self._path.write_text(str(error) or repr(error), errors="backslashreplace")


def run_all(
    run: Path,
    combinations: Sequence[Combination],
    arguments: Sequence[str],
    breaking: Breaking,
    say: Callable[[str], None],
) -> dict[str, Outcome]:
    """Run every combination unless the run is broken off; return what became of each."""
    became: dict[str, Outcome] = {}
    for number, one in enumerate(combinations, start=1):
        if breaking.asked:
            became[one.name] = Outcome(why="it was not begun: the run was broken off before")
            continue
        say(f"combination {number} of {len(combinations)}: {one.title}")
        became[one.name] = _run(run, one, arguments, breaking)
        keep(run, Outcomes(combinations=became))
    return became


def keep(run: Path, outcomes: Outcomes) -> None:
    """Write what became of the combinations."""
    with replacing(run / OUTCOMES) as fresh:
        fresh.write_text(outcomes.model_dump_json(indent=1) + "\n")


def exit_status(became: Mapping[str, Outcome], *, broken_off: bool) -> int:
    """Return what the whole run ends with: as pytest means it, what all ended with, or the worst.

    1 when any combination ended with it; 2 when the run was broken off, or one could not run.
    """
    statuses = {one.status for one in became.values()}
    if broken_off:
        return pytest.ExitCode.INTERRUPTED
    if pytest.ExitCode.TESTS_FAILED in statuses:
        return pytest.ExitCode.TESTS_FAILED
    only = statuses.pop() if len(statuses) == 1 else None
    return only if only is not None and only >= 0 else pytest.ExitCode.INTERRUPTED


def _run(run: Path, one: Combination, arguments: Sequence[str], breaking: Breaking) -> Outcome:
    why = run / f".{one.name}.why"
    settings = [word for key, value in one.settings.items() for word in (f"--{key}", value)]
    command = [sys.executable, "-m", "pytest", *arguments, *settings]
    inherited = {name: value for name, value in os.environ.items() if name not in _OWN}
    one.directory.parent.mkdir(exist_ok=True)
    status = breaking.run(
        [*command, EVIDENCE, str(one.directory)], {**inherited, WHY: str(why.absolute())}
    )
    try:
        return Outcome(status=status, why=_why(status, why))
    finally:
        why.unlink(missing_ok=True)


def _why(status: int, told: Path) -> str:
    """Say why a combination did not come to its end; "" when it did."""
    if status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return ""
    ended = _ENDED.get(status, f"pytest ended with status {status}")
    if status < 0:
        ended = f"pytest was ended by {signal.Signals(-status).name}"
    try:
        said = " ".join(told.read_text(errors="replace").split())
    except OSError:
        return ended
    return visible(f"{ended}: {said}", most=_LONGEST)


def _end_with_parent() -> None:
    """Let the kernel break this process off when the one that started it dies, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
