"""What a run follows the guides with, genuine software or drop-in: chosen once, told to all.

The process that begins the run chooses; its workers are told. What is refused is refused before any
machine is started.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from lab.accelerator import choose as choose_accelerator
from lab.errors import ImageError, LabError
from lab.image import Image, prepare
from lab.image import choose as choose_image
from lab.progress import Progress
from provision.deploy import GUIDES, Guide, guide_named
from provision.errors import PackagingFailed, SourceRefused
from provision.failover.vendor import invented_in, not_known
from provision.genuine.software import (
    ACCEPT,
    ASKED,
    VENDORS,
    Software,
    built,
    choose,
    of_guide,
    require_fit,
)
from scenarios.arguments import guides_of

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

_CHOSEN = pytest.StashKey[Software]()
_BY_WORKER = "vpnproof_software"


def add_option(group: pytest.OptionGroup) -> None:
    """Declare --software."""
    group.addoption(
        "--software",
        choices=ASKED,
        default="auto",
        help="what the multi-node guide is followed with: genuine, built of its published sources, "
        "or this project's drop-in (default: genuine where it can be had within seconds)",
    )
    group.addoption(
        ACCEPT,
        action="store_true",
        help="with --software genuine: Access Server of the failover guide is installed from the "
        "vendor's repository, under the vendor's licence (this project has never run it)",
    )


def software_of(config: pytest.Config, guide: str) -> Software:
    """Return what this run follows `guide` with."""
    if (chosen := config.stash.get(_CHOSEN, None)) is None:
        chosen = config.stash[_CHOSEN] = _told(config) or _choose(config)
    accepted = config.getoption("accept_vendor_licence")
    asked = config.getoption("software") == "genuine"
    return of_guide(guide, chosen, licence_accepted=accepted and asked)


def tell_unknown(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Tell of what failed with the vendor's software without a trace: it is UNKNOWN."""
    error = call.excinfo.value if call.excinfo is not None else None
    if not isinstance(error, LabError) or software_of(item.config, "failover").reason != VENDORS:
        return
    if "failover" in item.nodeid:
        word = invented_in(error.message)
        why = f"\n{not_known(word)}" if word and "UNKNOWN" not in error.message else ""
        report.longrepr = f"UNKNOWN: {error}{why}"


def name_of(config: pytest.Config, guide: str) -> str:
    """Return the name of what this run follows `guide` with; "" for what is no guide."""
    return software_of(config, guide).name if guide in GUIDES else ""


def tell(node: WorkerController) -> None:
    """Tell a worker of xdist what was chosen."""
    node.workerinput[_BY_WORKER] = asdict(software_of(node.config, "multi_node"))


def prepared(
    config: pytest.Config, guide: str, heartbeat: str, progress: Progress
) -> tuple[Guide, Image]:
    """Return a guide with its software, built, and the image that its guests boot from."""
    software = software_of(config, guide)
    # first what can be refused: an image takes minutes
    genuine = built(software, choose_image(config.getoption("image")).name, progress.say)
    forced = config.getoption("accel")
    image = prepare(
        config.getoption("image"),
        progress=progress,
        sets=software.package_sets,
        accelerator=choose_accelerator(forced) if forced else None,
    )
    return guide_named(guide, heartbeat, software, genuine), image  # type: ignore[arg-type]  # pytest has checked its choices


def header(config: pytest.Config) -> tuple[list[str], list[str]]:
    """Prepare what the run asks for; return the images, and a line on each guide's software.

    pytest.UsageError for software that is not what its catalogue says, cannot be built, or does not
    run on the image's guests, and for an image that cannot be had.
    """
    images: list[Image] = []
    lines: list[str] = []
    for guide in guides_of(config.args, GUIDES):
        try:
            require_fit(software_of(config, guide), choose_image(config.getoption("image")).name)
            made, image = prepared(config, guide, "ucarp", Progress())
        except (ImageError, SourceRefused, PackagingFailed) as error:
            raise pytest.UsageError(str(error)) from error
        images.append(image)
        lines.append(f"software of {guide}: {made.software}")
    if not images:  # the harness alone: its machines are any guests
        images.append(prepared(config, "failover", "ucarp", Progress())[1])
    never = choose_image(config.getoption("image")).never_run
    more = " never run by this project" if never else ""
    return [f"{image}{more}" for image in dict.fromkeys(images)], lines


def facts(config: pytest.Config) -> dict[str, Any]:
    """Return what `run.json` says of it, by guide."""
    guides = guides_of(config.args, GUIDES)
    return {guide: asdict(software_of(config, guide)) for guide in guides}


def _told(config: pytest.Config) -> Software | None:
    told = getattr(config, "workerinput", {}).get(_BY_WORKER)
    if told is None:
        return None
    return Software(told["name"], told["reason"], tuple(map(tuple, told["commits"])))


def _choose(config: pytest.Config) -> Software:
    return choose(config.getoption("software"), choose_image(config.getoption("image")).name)
