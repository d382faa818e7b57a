"""The maintenance scripts beside the published ones: the same commands, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.unpacked import genuine_place, unpacked
from tests.reference.recorded_commands import Ran, run
from tests.reference.test_drop_in_scripts import UNITS, WEB, script

__all__ = ["genuine_place"]

ON_DEBIAN = {
    "httpd": "apache2",
    "yum clean expire-cache": "apt-get update",
    "yum -y update": "apt-get -y upgrade",
    "systemctl restart iptables": "systemctl restart netfilter-persistent",
}
"""What the genuine scripts say for CentOS, and what is the same elsewhere."""
NOT_HERE = ("php-fpm", "ip6tables", "packages", "install ", "systemctl cat", "list-units")
SCRIPTS = ("stop_node.sh", "start_node.sh", "update_controller.sh", "update_node.sh")


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_does_what_the_genuine_one_does(
    name: str, tmp_path: Path, genuine_place: Path
) -> None:
    genuine = unpacked("documentation", genuine_place)
    theirs = run(genuine / "multi_node" / name, tmp_path)
    ours = script(f"multi_node/{name}", tmp_path, units=UNITS)
    assert _compared(ours) == _compared(theirs)
    assert ours.status == theirs.status == 0


def _compared(ran: Ran) -> list[str]:
    """Return commands as Debian calls them where this is Debian, options in one order."""
    lines = [one for one in ran.commands if not any(word in one for word in NOT_HERE)]
    for theirs, here in ON_DEBIAN.items() if WEB == "apache2" else ():
        lines = [one.replace(theirs, here) for one in lines]
    lines = [one.replace("netfilter-persistent ip6tables", "netfilter-persistent") for one in lines]
    kept = [one for one in lines if "try-restart" not in one]
    return [" ".join(sorted(one.split(), key=lambda word: word == "--all")) for one in kept]
