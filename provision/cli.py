"""`python -m provision`: a guide on the terminal, or in a lab that stays up.

python -m provision dry-run [multi_node]    print every command and file, without a machine
python -m provision up [multi_node]         build the lab, follow the guide, leave it up

--topology multi_node_3 (or a .toml file) has another number of nodes, other names and addresses.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import get_args

from rich.console import Console

from lab.accelerator import choose
from lab.cli import collect_garbage, how_to_look
from lab.errors import VpnproofError
from lab.image import choose as choose_image
from lab.image import prepare
from lab.progress import Progress, Say
from lab.topology import check_memory, read_topology
from provision import multi_node
from provision.deploy import GUIDES, Deployer, Guide, guide_named, guide_of, in_topology
from provision.failover import Heartbeat
from provision.genuine.software import ACCEPT, ASKED, built, is_built, of_guide, require_fit
from provision.genuine.software import choose as choose_software
from provision.platform import DEBIAN_12, PLATFORMS, platform_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 1 with the error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        options.act(options)
    except VpnproofError as error:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m provision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dry_run = commands.add_parser("dry-run", help="print every command and file change")
    _add_guide(dry_run)
    dry_run.add_argument(
        "--image",
        default=DEBIAN_12.name,
        help=f"the guests' image: {', '.join(PLATFORMS)} (default: %(default)s)",
    )
    _add_software(dry_run)
    dry_run.set_defaults(act=_dry_run)

    up = commands.add_parser("up", help="build and provision a lab, and leave it up")
    _add_guide(up)
    up.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    up.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    up.add_argument("--libvirt-uri", help="another libvirt than the lab's own")
    _add_software(up)
    up.add_argument("--fresh", action="store_true", help="ignore all checkpoints")
    up.set_defaults(act=_up)
    return parser


def _add_guide(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "guide",
        nargs="?",
        choices=tuple(GUIDES),
        help="default: the topology's, or multi_node",
    )
    command.add_argument("--topology", help="another one than the guide's own: a name or a .toml")
    command.add_argument(
        "--heartbeat",
        choices=get_args(Heartbeat),
        default="ucarp",
        help="the failover pair's engine (default: %(default)s)",
    )


def _add_software(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--software",
        choices=ASKED,
        default="auto",
        help="genuine, built of its published sources, or this project's drop-in (default: the "
        "genuine one where it can be had within seconds; of a dry run, where it was built)",
    )

    command.add_argument(
        ACCEPT,
        action="store_true",
        help="with --software genuine: Access Server of the failover guide is installed from the "
        "vendor's repository, under the vendor's licence (this project has never run it)",
    )


def _guide_name(options: argparse.Namespace) -> str:
    own = guide_of(options.topology) if options.topology else "multi_node"
    return options.guide or own


def _guide(options: argparse.Namespace, image: str, say: Say) -> Guide:
    name = _guide_name(options)
    accepted = options.accept_vendor_licence and options.software == "genuine"
    software = of_guide(name, choose_software(options.software, image), licence_accepted=accepted)
    say(f"software: {software}")
    genuine = built(software, image, say)
    guide = guide_named(name, options.heartbeat, software, genuine)
    return in_topology(guide, options.topology)


def _dry_run(options: argparse.Namespace) -> None:
    if options.software == "auto":  # to print a plan, nothing is fetched or built
        options.software = "genuine" if is_built(options.image) else "drop-in"
    guide = _guide(options, options.image, _on_stderr)
    topology = read_topology(guide.topology)
    platform = platform_of(options.image)
    plans = [guide.plan(topology, platform)]
    if guide_of(guide.topology) == "multi_node":  # later, in the lab that is deployed
        plans += [
            multi_node.maintenance_plan(topology),
            multi_node.firewall_plan(topology, platform),
        ]
    sys.stdout.write("".join(f"{plan.dry_run()}\n" for plan in plans))


def _on_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _up(options: argparse.Namespace) -> None:
    progress = Progress()
    named = in_topology(guide_named(_guide_name(options), options.heartbeat), options.topology)
    collect_garbage()
    chosen = choose_image(options.image)
    check_memory(read_topology(named.topology).fit_for(chosen.family))
    accelerator = choose(options.accel)
    guide = _guide(options, chosen.name, progress.say)
    require_fit(guide.software, chosen.name)
    sets = guide.software.package_sets
    image = prepare(options.image, progress=progress, sets=sets, accelerator=accelerator)
    progress.say(f"{accelerator}; image {image}")
    deployer = Deployer(
        guide,
        image,
        accelerator,
        progress=progress,
        fresh=options.fresh,
        uri=options.libvirt_uri,
    )
    lab = deployer.deploy()
    lab.keep()
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{lab.directory.name}[/bold] is up; what was typed: {lab.directory}/transcripts"
    )
    for line in how_to_look(lab.directory):
        console.print(f"  {line}")
