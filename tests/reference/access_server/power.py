"""A power cut in the middle of work on files, at any step, with what that loses.

While it is on, each call that changes a file or a name is a step. At the step that is told the
power fails: neither it nor any later one is done. What was not on the disk is gone then: a file
that was written and not synced since is empty. Names are kept in the order in which they were
given; which of them were synced is for `Power.steps` to show.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHANGES = ("rename", "replace", "unlink", "mkdir", "rmdir", "symlink", "chmod", "fsync")


class PowerCut(BaseException):
    """The machine is off."""


@dataclass
class Power:
    """The machine below `root`; its power fails at step number `fails_at`, or never."""

    root: Path
    fails_at: int = -1
    steps: list[tuple[str, Path]] = field(default_factory=list)
    _safe: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._safe = {file.stat().st_ino for file in self._files()}

    @contextmanager
    def on(self) -> Iterator[None]:
        """Count the steps inside; a power cut ends the block, not the test."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CHANGES:
                patch.setattr(os, name, self._step(name, getattr(os, name)))
            patch.setattr(os, "open", self._opened(os.open))
            with suppress(PowerCut):
                yield
        if self.fails_at >= 0:
            for file in self._files():
                if file.stat().st_ino not in self._safe:
                    file.write_bytes(b"")

    @property
    def failed(self) -> bool:
        """Whether the power failed."""
        return 0 <= self.fails_at < len(self.steps)

    def _files(self) -> list[Path]:
        return [file for file in self.root.rglob("*") if file.is_file() and not file.is_symlink()]

    def _note(self, name: str, place: Path) -> None:
        self.steps.append((name, place))
        if self.failed:
            raise PowerCut

    def _step(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            directory = options.get("dir_fd") or options.get("src_dir_fd")
            target = given[0] if isinstance(given[0], int) else Path(os.fsdecode(given[0]))
            if isinstance(target, int):
                place = Path(f"/proc/self/fd/{target}").readlink()
            elif isinstance(directory, int):
                place = Path(f"/proc/self/fd/{directory}").readlink() / target
            else:
                place = target
            if not place.is_relative_to(self.root):
                return real(*given, **options)
            # of what is renamed, the name it gets
            self._note(name, Path(given[1]) if name in ("rename", "replace", "symlink") else place)
            if name == "fsync":
                self._safe.add(os.fstat(given[0]).st_ino)
            return real(*given, **options)

        return call

    def _opened(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *more: Any, **options: Any) -> int:
            descriptor = real(path, flags, *more, **options)
            if flags & (os.O_WRONLY | os.O_RDWR):
                self._safe.discard(os.fstat(descriptor).st_ino)
            return descriptor

        return call
