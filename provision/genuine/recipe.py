"""What a package consists of, as values: files of a source, text of ours, owners, users.

The same recipe makes a deb and an RPM (`debian`, `rpm`); a `System` says what the two families
call things. A file of a source may be changed by a patch that must fit: one that does not is an
error, not a package that is subtly something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from provision.errors import PackagingFailed

Family = Literal["debian", "el"]


@dataclass(frozen=True)
class System:
    """What a family of systems calls things that packages need to know."""

    family: Family
    web_group: str
    vpn_user: str
    vpn_group: str
    hooks: str
    apache: str
    """Where Apache's snippets lie."""
    daemon: str
    """Where vpn-daemon's program lies."""
    daemon_environment: str
    daemon_keys: str
    """The directory of vpn-daemon's certificates; its key lies in `private` in it."""
    units: str
    php: tuple[str, ...]
    """Packages that every PHP program here needs."""


DEBIAN = System(
    family="debian",
    web_group="www-data",
    vpn_user="nobody",
    vpn_group="nogroup",
    hooks="/usr/lib/vpn-server-node",
    apache="/etc/apache2/conf-available",
    daemon="/usr/sbin/vpn-daemon",
    daemon_environment="/etc/default/vpn-daemon",
    daemon_keys="/etc/ssl/vpn-daemon",
    units="/lib/systemd/system",
    php=("php-cli", "php-curl", "php-mbstring", "php-sqlite3"),
)

EL = System(
    family="el",
    web_group="apache",
    vpn_user="openvpn",
    vpn_group="openvpn",
    hooks="/usr/libexec/vpn-server-node",
    apache="/etc/httpd/conf.d",
    daemon="/usr/bin/vpn-daemon",
    daemon_environment="/etc/sysconfig/vpn-daemon",
    daemon_keys="/etc/pki/vpn-daemon",
    units="/usr/lib/systemd/system",
    php=("php-cli", "php-json", "php-mbstring", "php-pdo", "php-sodium"),
)


@dataclass(frozen=True)
class Patch:
    """A change of one file: `old` stands in it exactly once, and `new` takes its place."""

    old: str
    new: str

    def apply(self, text: str, named: str) -> str:
        """Return the changed text; PackagingFailed when `old` does not stand there once."""
        if (found := text.count(self.old)) != 1:
            raise PackagingFailed(
                f"{named}: a patch does not fit: {self.old!r} stands there {found} times, not once",
                hint="the recipe is for another commit than the catalogue names",
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class FromSource:
    """A file or directory of a source, and where it is installed."""

    path: str
    target: str
    patches: tuple[Patch, ...] = ()
    """Of a file."""
    mode: int = 0o644
    """Of a file; in a directory, files that can be run stay so."""


@dataclass(frozen=True)
class Ours:
    """A file whose text is this project's."""

    target: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class GoProgram:
    """A program in Go without dependencies: its package in the source, and where it goes."""

    path: str
    target: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Set when it is linked."""


@dataclass(frozen=True)
class Owned:
    """A directory (or a file in one) that is somebody else's than root's."""

    path: str
    mode: int
    owner: str
    group: str


@dataclass(frozen=True)
class Recipe:
    """A package: what it is made of, and what installing it has to do."""

    name: str
    source: str
    """In the catalogue: version, date and licence are its."""
    summary: str
    depends: tuple[str, ...] = ()
    contents: tuple[FromSource | Ours | GoProgram, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """What a link is called, and what it leads to."""
    configuration: tuple[str, ...] = ()
    """Files that an update leaves as they were changed."""
    directories: tuple[Owned, ...] = ()
    user: str = ""
    """A system user of this name, with a group of the same name, is made first."""
    afterwards: tuple[str, ...] = ()
    """Commands at the end of the installation."""

    @property
    def is_binary(self) -> bool:
        """Whether it is for one architecture only."""
        return any(isinstance(one, GoProgram) for one in self.contents)


def packaging(name: str) -> str:
    """Return a text of ours that is installed as it is."""
    return (Path(__file__).parent / "packaging" / name).read_text()
