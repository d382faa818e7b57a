"""The failover guide with the vendor's packages: what is typed, and what is said to be invented."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import provision
from lab.errors import CommandFailed
from lab.topology import read_topology
from provision import failover
from provision.action import Check, Command
from provision.cli import main
from provision.errors import PlanError
from provision.failover.vendor import INVENTED, PACKAGE, not_known
from provision.genuine.software import VENDORS, Software, built, of_guide
from provision.platform import CENTOS_STREAM_9, DEBIAN_12
from scenarios import software

README = Path(provision.__file__).parent / "reference/access_server/README.md"
ASKED = Software("genuine", "as asked for", (("tool", "0" * 40),))


def plan(*, vendors: bool = True, **options: Any) -> Any:
    topology = read_topology("failover")
    return failover.plan(topology, DEBIAN_12, vendors=vendors, **options)


def typed(word: str) -> list[Command | Check]:
    return [
        action
        for step in plan().steps
        for action in step.actions
        if isinstance(action, Command | Check) and word in action.text
    ]


def test_without_consent_it_is_the_drop_in() -> None:
    assert of_guide("failover", ASKED).name == "drop-in"
    assert of_guide("failover", Software("drop-in", "as asked for"), licence_accepted=True) == (
        of_guide("failover", ASKED)
    )
    assert of_guide("multi_node", ASKED, licence_accepted=True) is ASKED


def test_with_consent_it_is_the_vendors_and_nothing_is_built_for_it() -> None:
    chosen = of_guide("failover", ASKED, licence_accepted=True)
    assert (chosen.name, chosen.reason, chosen.package_sets) == ("genuine", VENDORS, ())
    assert built(chosen, "debian-12") is None


def test_the_vendors_packages_stand_where_the_archive_was() -> None:
    text = plan().dry_run()
    assert f"apt-get -y install {PACKAGE}" in text
    assert "install.sh" not in text
    assert "node-role" not in text
    assert "install.sh" in plan(vendors=False).dry_run()


def test_the_drop_ins_steps_are_what_they_were() -> None:
    topology = read_topology("failover")
    here = failover.plan(topology, DEBIAN_12).source_keys()
    assert here == plan(vendors=False).source_keys()
    assert here != plan().source_keys()


@pytest.mark.parametrize("word", ["AddOneTimePasswords", "/admin/failover/", "LoadSubscription"])
def test_what_the_drop_in_invented_says_so_when_it_fails(word: str) -> None:
    (action,) = typed(word)
    script = re.sub(r"(?s)(EXIT\n).*", r"\1set -e\nfalse\necho on", action.text)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("UNKNOWN: ")
    assert "is this project's invention" in done.stderr


def test_what_the_drop_in_invented_says_nothing_when_it_works() -> None:
    (action,) = typed("AddOneTimePasswords")
    script = re.sub(r"(?s)(EXIT\n).*", r"\1true", action.text)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_check_of_something_invented_says_so_too() -> None:
    checks = [action for action in typed("FailoverStatus") if isinstance(action, Check)]
    assert checks
    for check in checks:
        _, _, told = check.text.rpartition(" || {")
        done = subprocess.run(
            ["sh", "-c", f"false || {{{told}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert not_known("FailoverStatus") in done.stderr


def test_what_is_invented_is_what_the_readme_marks() -> None:
    lines = [line for line in README.read_text().splitlines() if re.search(r"` \*| \* \|", line)]
    marked = " ".join(lines)
    for word in INVENTED[:-2]:
        assert word in marked
    found = set(re.findall(r"sacli[^`|]* (Failover\w+|\w*OneTimePasswords)", marked))
    assert found <= set(INVENTED)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"platform": CENTOS_STREAM_9}, "debian-12 alone, not centos-stream-9"),
        ({"heartbeat": "keepalived"}, "has no keepalived"),
    ],
)
def test_what_the_vendors_packages_are_not_for_is_refused(
    options: dict[str, Any], words: str
) -> None:
    topology, platform = read_topology("failover"), options.pop("platform", DEBIAN_12)
    with pytest.raises(PlanError, match=words):
        failover.plan(topology, platform, vendors=True, **options)


def test_a_dry_run_prints_what_would_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dry-run", "failover", "--software", "genuine"]
    assert main([*words, "--accept-vendor-licence"]) == 0
    printed = capsys.readouterr()
    assert "software: genuine (the vendor's packages" in printed.err
    assert f"$ DEBIAN_FRONTEND=noninteractive apt-get -y install {PACKAGE}" in printed.out
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "software: drop-in (OpenVPN Access Server is not free software)" in printed.err
    assert PACKAGE not in printed.out


class _Config:
    """The options of a run with the vendor's software."""

    def __init__(self, *, accepted: bool) -> None:
        self.stash = pytest.Stash()
        self.stash[software._CHOSEN] = ASKED
        self.options = {"software": "genuine", "accept_vendor_licence": accepted}

    def getoption(self, name: str) -> object:
        return self.options[name]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_scenario_that_fails_of_the_vendors_software_is_unknown_without_a_trace(
    accepted: bool,
) -> None:
    error = CommandFailed("primary", "sacli FailoverStatus", 1, "Traceback: no such command")
    item: Any = SimpleNamespace(
        config=_Config(accepted=accepted), nodeid="scenarios/failover/test_setup.py::test_x"
    )
    call: Any = SimpleNamespace(excinfo=SimpleNamespace(value=error))
    report: Any = SimpleNamespace(longrepr="a trace")
    software.tell_unknown(item, call, report)
    if accepted:
        assert report.longrepr.startswith("UNKNOWN: primary: `sacli FailoverStatus`")
        assert not_known("FailoverStatus") in report.longrepr
    else:
        assert report.longrepr == "a trace"
