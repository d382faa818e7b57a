"""Which of this machine's apt archives are Debian's own: their signed InRelease says it.

Not the shape of an address: a vendor's archive may end in `/debian`, and a mirror of Debian need
not. The InRelease is the one that apt has read, or is asked for by apt's own means. What was found
is kept in the cache until the configuration changes: an image is found again without a network.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root, content_key, replacing
from lab.errors import ImageError
from lab.image.aptsources import Source, configured
from lab.image.signature import NotSigned, signed
from lab.limits import Limit, bounded
from lab.progress import Say

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_APT, _LISTS = Path("/etc/apt"), Path("/var/lib/apt/lists")
_HELPER = "/usr/lib/apt/apt-helper"
_ASK_SECONDS = 60
_INRELEASE = Limit("VPNPROOF_INRELEASE_MIB", 10, "what an archive may say of itself")
"""The same as for apt itself. Debian's has less than 0.2."""
_MAIN, _SECURITY = "Debian", "Debian-Security"
_OWN = {_MAIN: "http://deb.debian.org/debian", _SECURITY: "http://deb.debian.org/debian-security"}
_ALIASES = ("stable", "oldstable", "oldoldstable", "testing")


@dataclass(frozen=True)
class Archive:
    """A source, and what its signed InRelease says of it."""

    source: Source
    label: str
    codename: str


@dataclass(frozen=True)
class Archives:
    """The apt of a machine: its configuration, what it has read, and whom it has to believe."""

    apt: Path = _APT
    lists: Path = _LISTS
    keyring: Path = KEYRING

    def debian(self, release: str, say: Say) -> tuple[Source, ...]:
        """Return the sources of Debian `release` ("bookworm") as this machine reaches them."""
        own = [each for each in configured(self.apt) if "main" in each.components]
        remembered = cache_root() / "archives.json"
        state = content_key(release, str(self.keyring), *map(str, own))
        if (before := _remembered(remembered, state)) is not None:
            return before
        if not self.keyring.is_file():
            raise ImageError(
                f"Debian's keys are missing: {self.keyring}",
                hint="lab/setup installs debian-archive-keyring where there is apt; elsewhere "
                "choose --image=centos-stream-9",
            )
        found, sure = self._sources(release, own, say)
        if sure:
            with replacing(remembered) as partial:
                sources = [(each.uri, each.suite, each.signed_by) for each in found]
                partial.write_text(json.dumps({"state": state, "sources": sources}, indent=1))
        return found

    def _sources(
        self, release: str, own: list[Source], say: Say
    ) -> tuple[tuple[Source, ...], bool]:
        """Return the sources, and whether each archive could be asked."""
        suites = (release, f"{release}-updates", f"{release}-security")
        names = {
            name + more for name in (release, *_ALIASES) for more in ("", "-updates", "-security")
        }
        sure, fitting = True, []
        for source in (each for each in own if each.suite in names):
            text = self._read(source) or _asked(source)
            sure = sure and text is not None
            if text is None:
                say(f"{source.uri} {source.suite} did not say whether it is Debian's: left out")
            elif archive := self._archive(source, text, say):
                fitting.append(archive)
        if here := [each for each in fitting if each.codename in suites]:
            return tuple(dict.fromkeys(self._line(a.source.uri, a.codename) for a in here)), sure
        # a machine of another release, or no Debian: its mirrors if it has some, or Debian's own
        others = [each for each in own if each.suite not in names]
        known = [*fitting, *self._known(others)]
        uris = _OWN | {each.label: each.source.uri for each in reversed(known)}
        return (
            self._line(uris[_MAIN], suites[0]),
            self._line(uris[_MAIN], suites[1]),
            self._line(uris[_SECURITY], suites[2]),
        ), sure

    def _known(self, sources: Iterable[Source]) -> Iterator[Archive]:
        """Yield those of `sources` that apt has read, and that are Debian's."""
        for source in sources:
            text = self._read(source)
            archive = self._archive(source, text, lambda _: None) if text else None
            if archive is not None:
                yield archive

    def _archive(self, source: Source, text: bytes, say: Say) -> Archive | None:
        where = f"{source.uri} {source.suite}"
        try:
            told = signed(text, where, self.keyring).text.decode(errors="replace")
        except NotSigned as wrong:
            say(f"not Debian's, so left out: {wrong.message}")
            return None
        fields = dict(re.findall(r"(?m)^(Origin|Label|Codename): *(.*?)\s*$", told))
        if fields.get("Origin") != "Debian" or fields.get("Label") not in _OWN:
            say(f"not Debian's, so left out: {where} is {fields.get('Label', 'without a name')}")
            return None
        return Archive(source, fields["Label"], fields.get("Codename", ""))

    def _read(self, source: Source) -> bytes | None:
        """Return the InRelease that apt has read of a source."""
        try:
            return (self.lists / list_name(source)).read_bytes()
        except OSError:
            return None

    def _line(self, uri: str, suite: str) -> Source:
        return Source(uri, suite, ("main",), str(self.keyring))


def list_name(source: Source) -> str:
    """Return the name by which apt keeps the InRelease of a source."""
    address = re.sub(r"^[a-z+]+:(//)?([^/@]*@)?", "", _release_uri(source))
    quoted = re.sub(r'[\\|{}\[\]<>"^~_=!@#$%&*]', lambda c: f"%{ord(c[0]):02x}", address)
    return quoted.replace("/", "_")


def _release_uri(source: Source) -> str:
    return f"{source.uri.rstrip('/')}/dists/{source.suite}/InRelease"


def _asked(source: Source) -> bytes | None:
    """Ask an archive for its InRelease, by the ways that apt is configured to go."""
    with tempfile.TemporaryDirectory(prefix="vpnproof-archive-") as folder:
        Path(folder).chmod(0o755)  # apt downloads as a user of its own
        fetched = Path(folder, "InRelease")
        command = [_HELPER, "-qq", "download-file", _release_uri(source), str(fetched)]
        try:
            command = bounded(_INRELEASE, command)
            subprocess.run(command, capture_output=True, check=True, timeout=_ASK_SECONDS)
            return fetched.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None


def _remembered(path: Path, state: str) -> tuple[Source, ...] | None:
    """Return what was found of this very configuration; None if it must be found out."""
    try:
        kept = json.loads(path.read_text())
        if kept["state"] != state:
            return None
        return tuple(
            Source(uri, suite, ("main",), keyring) for uri, suite, keyring in kept["sources"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
