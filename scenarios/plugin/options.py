"""What a run can be asked for on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import sites, software
from scenarios.mutants import plugin as mutants
from scenarios.side_by_side import let_them_be_chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vpnproof", "labs of real virtual machines")
    sites.add_options(group)
    group.addoption("--image", help="guest image; see lab/image/catalogue.toml")
    group.addoption("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    group.addoption("--libvirt-uri", help="another libvirt than the lab's own")
    group.addoption(
        "--topology",
        action="append",
        help="instead of a guide's own: a name in lab/topologies, or a .toml file",
    )
    group.addoption("--evidence", type=Path, help="directory of the run's evidence")
    group.addoption(
        "--keep",
        choices=("never", "failed", "always"),
        default="never",
        help="leave labs up at the end (default: %(default)s)",
    )
    group.addoption("--fresh", action="store_true", help="ignore all checkpoints")
    group.addoption(
        "--full",
        action="store_true",
        help="a sign-off run: long scenarios too, each fault 20 times",
    )
    group.addoption(
        "--timings", action="store_true", help="print the scenarios that took longest, and why"
    )
    software.add_option(group)
    mutants.add_option(group)
    group.addoption(
        "--heartbeat",
        choices=("ucarp", "keepalived"),
        default="ucarp",
        help="the failover pair's engine (default: %(default)s)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    let_them_be_chosen(config)
