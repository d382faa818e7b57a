"""Which Debian archive this machine uses, as apt source lines for the guest's release.

Reads both of apt's formats. Third-party archives are left out: a guest holds Debian alone. Where
the machine is no Debian, or another release, the lines are derived from what it has, or from
deb.debian.org. Downloads nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ARCHIVE = re.compile(
    r"/debian(?:-security)?(?:/\d{8}T\d{6}Z)?/?$"
)  # or one of snapshot.debian.org
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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
    trusted: bool = False

    def __str__(self) -> str:
        options = [f"signed-by={self.signed_by}"] if self.signed_by else []
        options += ["trusted=yes"] if self.trusted else []
        bracket = f"[{' '.join(options)}] " if options else ""
        return f"deb {bracket}{self.uri} {self.suite} {' '.join(self.components)}"

    @property
    def is_debian(self) -> bool:
        """Whether this is Debian's own archive, or a mirror of it."""
        return bool(_ARCHIVE.search(self.uri)) and "main" in self.components


def sources(release: str, apt: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """Return the archives of Debian `release` ("bookworm") as the machine's apt reaches them."""
    own = [each for each in configured(apt) if each.is_debian]
    suites = (release, f"{release}-updates", f"{release}-security")
    if fitting := [each for each in own if each.suite in suites]:
        return tuple(dict.fromkeys(_main_only(each) for each in fitting))
    keyring = str(_KEYRING) if _KEYRING.exists() else ""
    main = next((e.uri for e in own if not _is_security(e.uri)), "http://deb.debian.org/debian")
    security = next(
        (e.uri for e in own if _is_security(e.uri)), "http://deb.debian.org/debian-security"
    )
    return (
        Source(main, suites[0], ("main",), keyring),
        Source(main, suites[1], ("main",), keyring),
        Source(security, suites[2], ("main",), keyring),
    )


def configured(apt: Path) -> Iterator[Source]:
    """Yield every enabled binary source of `apt`'s sources.list and sources.list.d."""
    folder = apt / "sources.list.d"
    for path in (apt / "sources.list", *sorted(folder.glob("*.list"))):
        if path.is_file():
            yield from one_line_style(path.read_text())
    for path in sorted(folder.glob("*.sources")):
        yield from deb822_style(path.read_text())


def one_line_style(text: str) -> Iterator[Source]:
    """Yield the sources of a `.list` file."""
    for line in text.splitlines():
        match = re.fullmatch(
            r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*)(?:#.*)?",
            line,
        )
        if match:
            options = dict(o.split("=", 1) for o in (match["options"] or "").split() if "=" in o)
            yield Source(
                match["uri"],
                match["suite"],
                tuple(match["rest"].split()),
                options.get("signed-by", ""),
                options.get("trusted", "no") == "yes",
            )


def deb822_style(text: str) -> Iterator[Source]:
    """Yield the sources of a `.sources` file; an embedded key block is left to apt's keyrings."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            name.lower(): value.strip()
            for name, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        signed_by = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(
                    uri,
                    suite,
                    tuple(fields.get("components", "").split()),
                    signed_by if signed_by.startswith("/") and "\n" not in signed_by else "",
                    fields.get("trusted", "no") == "yes",
                )


def download_options() -> tuple[str, ...]:
    """Return the machine's apt settings for downloads (proxies, dates), as apt.conf lines."""
    try:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()  # no apt on this machine: nothing to take over
    return tuple(line for line in dump.stdout.splitlines() if _FOR_DOWNLOADS.match(line))


def _main_only(source: Source) -> Source:
    return Source(source.uri, source.suite, ("main",), source.signed_by, source.trusted)


def _is_security(uri: str) -> bool:
    return "-security" in uri
