"""The archives that this machine's apt is configured with, in both of apt's formats.

Which of them are Debian's, `lab.image.archives` finds out. Downloads nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOR_DOWNLOADS = re.compile(
    r"^Acquire::(?:https?::.*|ftp::Proxy|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])\s",
)


@dataclass(frozen=True)
class Source:
    """One archive: `deb [options] uri suite components`."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def __str__(self) -> str:
        bracket = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {bracket}{self.uri} {self.suite} {' '.join(self.components)}"


def configured(apt: Path) -> Iterator[Source]:
    """Yield every enabled binary source of `apt`'s sources.list and sources.list.d.

    Whom the machine believes (`signed-by`, `trusted`) is left out: a guest believes Debian alone.
    """
    folder = apt / "sources.list.d"
    for path in (apt / "sources.list", *sorted(folder.glob("*.list"))):
        yield from one_line_style(_text(path))
    for path in sorted(folder.glob("*.sources")):
        yield from deb822_style(_text(path))


def one_line_style(text: str) -> Iterator[Source]:
    """Yield the sources of a `.list` file."""
    for line in text.splitlines():
        match = re.fullmatch(
            r"\s*deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*)(?:#.*)?",
            line,
        )
        if match:
            yield Source(match["uri"], match["suite"], tuple(match["rest"].split()))


def deb822_style(text: str) -> Iterator[Source]:
    """Yield the sources of a `.sources` file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            name.lower(): value.strip()
            for name, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, components)


def _text(path: Path) -> str:
    """Return what is in a file; nothing if there is none, or only root may read it."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return ""


def download_options() -> tuple[str, ...]:
    """Return the machine's apt settings for downloads (proxies, dates), as apt.conf lines."""
    try:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()  # no apt on this machine: nothing to take over
    return tuple(line for line in dump.stdout.splitlines() if _FOR_DOWNLOADS.match(line))
