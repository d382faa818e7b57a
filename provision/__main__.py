"""`python -m provision --dry-run`: print every command and file of a guide, without a machine.

Steps are applied to machines by the scenarios and by `python -m lab`, not by this program.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lab.errors import VpnproofError
from lab.topology import read_topology
from provision import multi_node
from provision.platform import DEBIAN_12, PLATFORMS, platform_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 when the plan cannot be made."""
    options = _parser().parse_args(arguments)
    try:
        plan = multi_node.plan(
            read_topology(options.topology),
            platform_of(options.image),
            load_balanced=not options.before_load_balancing,
        )
    except VpnproofError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(plan.dry_run() + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m provision", description=__doc__)
    parser.add_argument(
        "topology",
        nargs="?",
        default="multi_node",
        help="a topology of lab/topologies, or the path of a .toml file",
    )
    parser.add_argument("--dry-run", action="store_true", required=True, help="print, do nothing")
    parser.add_argument(
        "--image",
        default=DEBIAN_12.name,
        help=f"the guests' image: {', '.join(PLATFORMS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--before-load-balancing",
        action="store_true",
        help="stop where each node still has a profile of its own",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
