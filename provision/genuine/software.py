"""Which software a deployment consists of: genuine, or the drop-in; and why.

`auto` takes the genuine one when that is built already, or when everything to build it is here and
its sources are cached or answer within seconds; else the drop-in, and says so. Header, `run.json`
and verdicts carry the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.errors import ImageError, ScenarioError
from provision.genuine import build, sources
from provision.genuine.build import Built, Say
from provision.genuine.catalogue import Source, read
from provision.genuine.recipe import DEBIAN, EL, System
from provision.platform import platform_of

Asked = Literal["auto", "genuine", "drop-in"]
ASKED: tuple[Asked, ...] = ("auto", "genuine", "drop-in")

PACKAGE_SET = "genuine"
"""What a guest needs beyond the drop-in's packages; see lab/image/debian.toml."""

_NOT_FREE = "OpenVPN Access Server is not free software"
ACCEPT = "--accept-vendor-licence"
VENDORS = "the vendor's packages, whose licence was accepted; this project has never run them"


@dataclass(frozen=True)
class Software:
    """What was chosen, and why; of the genuine software also which commits, by source."""

    name: Literal["genuine", "drop-in"]
    reason: str
    commits: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        of = f", {len(self.commits)} sources by commit" if self.commits else ""
        return f"{self.name}{of} ({self.reason})"

    @property
    def is_genuine(self) -> bool:
        """Whether it is the genuine software."""
        return self.name == "genuine"

    @property
    def package_sets(self) -> tuple[str, ...]:
        """Which sets of packages a guest needs for it, beyond those that every guest has."""
        return (PACKAGE_SET,) if self.commits else ()


DROP_IN = Software("drop-in", "as asked for")
_DROP_IN_TAKES = (3, 9)
"""The least Python that the drop-ins of both guides run on, in the guests."""


def choose(asked: str, image: str) -> Software:
    """Return what guests of `image` get when `asked` is asked for; builds and fetches nothing.

    ScenarioError for another word than those of `ASKED`.
    """
    if asked not in ASKED:
        raise ScenarioError(f"no software {asked!r}", hint=f"there are: {', '.join(ASKED)}")
    if asked == "drop-in":
        return DROP_IN
    catalogue = read()
    commits = tuple((source.name, source.commit) for source in catalogue.values())
    if asked == "genuine":
        return Software("genuine", "as asked for", commits)
    system = _system(image)
    if build.is_cached(system, catalogue):
        return Software("genuine", "it was built before", commits)
    if lacks := _lacks(system, catalogue):
        return Software("drop-in", lacks)
    return Software("genuine", "its sources can be had", commits)


def is_built(image: str) -> bool:
    """Whether the genuine software for guests of `image` was built before."""
    return build.is_cached(_system(image), read())


def of_guide(guide: str, chosen: Software, *, licence_accepted: bool = False) -> Software:
    """Return what `guide` is followed with when `chosen` was chosen: not all of it is free.

    `licence_accepted`: whether the genuine was asked for, and the vendor's licence accepted.
    """
    if guide == "multi_node":
        return chosen
    if chosen.is_genuine and licence_accepted:
        return Software("genuine", VENDORS)
    return Software("drop-in", _NOT_FREE)


def require_fit(software: Software, image: str) -> None:
    """Raise ImageError when `software` is known not to run on guests of `image`."""
    has = platform_of(image).python
    if has >= _DROP_IN_TAKES:
        return
    has_, takes = (".".join(map(str, version)) for version in (has, _DROP_IN_TAKES))
    why = f"Python {has_}, and the drop-in software takes {takes}"
    if software.is_genuine:  # the only such guest is CentOS 7's
        why = "PHP 5.4, and the libraries that the genuine software is pinned to take 7.0"
    raise ImageError(
        f"guests of {image} have {why}", hint="use --image=centos-stream-9 or debian-12"
    )


def built(software: Software, image: str, say: Say = lambda _line: None) -> Built | None:
    """Return the packages built of the genuine software for guests of `image`, else None.

    Built now unless they are cached: minutes, once. SourceRefused and PackagingFailed say what was
    expected, found and to be done.
    """
    return build.build(_system(image), read(), say) if software.commits else None


def _system(image: str) -> System:
    return DEBIAN if platform_of(image).os_id == "debian" else EL


def _lacks(system: System, catalogue: dict[str, Source]) -> str:
    if system is EL:
        return "this project has not run the genuine software on Enterprise Linux"
    if missing := build.missing_tools(system):
        return f"to build the genuine takes {', '.join(missing)}: lab/setup --genuine"
    return sources.at_hand(catalogue.values())
