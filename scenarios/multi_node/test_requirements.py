"""The guide's section "Requirements": static addresses, working DNS, PHP that parses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.multi_node.profiles import edited
from evidence.history import History
from lab.lab import Lab
from lab.threads import side_by_side
from scenarios.multi_node import observe

Judge = Callable[[str], object]


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-01")
def test_every_machine_has_its_addresses_and_resolves_every_name(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    questions = [(host.fqdn, RECORD_TYPE[f]) for host in site.hosts.values() for f in FAMILIES]
    side_by_side(
        multi_node.machines.values(),
        lambda machine: observe.addresses_and_names(history, machine, questions),
    )
    judge("MN-01")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-06")
def test_php_accepts_every_file_that_was_edited(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    files = edited(site)
    side_by_side(
        (multi_node[name] for name in files),
        lambda machine: observe.php_lint(history, machine, files[machine.name]),
    )
    judge("MN-06")
