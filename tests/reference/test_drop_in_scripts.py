"""The maintenance scripts: what each stops, updates and starts, in which order, and what it says.

No machine is changed: see `recorded_commands`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference.recorded_commands import Ran, copied, run

UNITS = "openvpn-server@node-a-0.service loaded active running OpenVPN\n"
WEB = "apache2" if Path("/etc/debian_version").exists() else "httpd"


def script(name: str, place: Path, **options: object) -> Ran:
    return run(copied(place) / name, place, **options)  # type: ignore[arg-type]


def test_stopping_a_node_stops_its_openvpn_and_leaves_it_enabled(tmp_path: Path) -> None:
    ran = script("multi_node/stop_node.sh", tmp_path)
    assert ran.commands == ("systemctl stop --all openvpn-server@*",)
    assert ran.status == 0


def test_a_node_that_has_no_unit_to_start_is_told_so(tmp_path: Path) -> None:
    ran = script("multi_node/start_node.sh", tmp_path)
    assert ran.status == 1
    assert "run apply_changes.sh first" in ran.stderr
    assert not ran.naming("systemctl start")


def test_starting_a_node_starts_what_was_stopped(tmp_path: Path) -> None:
    ran = script("multi_node/start_node.sh", tmp_path, units=UNITS)
    assert ran.naming("systemctl start") == ["systemctl start --all openvpn-server@*"]
    assert ran.status == 0


def test_the_controller_is_away_while_it_is_updated(tmp_path: Path) -> None:
    ran = script("multi_node/update_controller.sh", tmp_path)
    assert ran.commands[0] == f"systemctl stop {WEB}"
    assert ran.commands[-1] == f"systemctl start {WEB}"
    assert "install vpn-ca vpn-server-api vpn-user-portal" in ran.commands


@pytest.mark.parametrize("failing", ["apt-get*", "yum*", "install*"])
def test_a_controller_comes_back_when_its_update_fails(failing: str, tmp_path: Path) -> None:
    ran = script("multi_node/update_controller.sh", tmp_path, failing=[failing])
    assert ran.commands[-1] == f"systemctl start {WEB}"
    if any(one.startswith(failing[:-1]) for one in ran.commands):
        assert ran.status == 1
        assert "not everything was updated" in ran.stderr


def test_updating_a_node_neither_stops_nor_starts_openvpn(tmp_path: Path) -> None:
    ran = script("multi_node/update_node.sh", tmp_path)
    assert not [one for one in ran.commands if "openvpn-server@" in one]
    assert ran.naming("vpn-server-node") == [
        "vpn-server-node-server-config ",
        "vpn-server-node-generate-firewall --install",
    ]
    assert "systemctl try-restart vpn-daemon" in ran.commands


def test_a_node_without_the_daemon_gets_none_by_its_update(tmp_path: Path) -> None:
    ran = script("multi_node/update_node.sh", tmp_path, failing=["systemctl cat*"])
    assert not [one for one in ran.commands if one.endswith(" vpn-daemon") and "cat" not in one]


def test_a_node_goes_on_when_the_controller_cannot_be_asked(tmp_path: Path) -> None:
    ran = script("multi_node/update_node.sh", tmp_path, failing=["vpn-server-node-server-config*"])
    assert ran.status == 1
    assert ran.naming("systemctl restart")


def test_converting_leaves_the_controller_and_takes_the_node(tmp_path: Path) -> None:
    ran = script("convert_to_controller.sh", tmp_path, units=UNITS)
    assert ran.status == 0
    assert ran.naming("systemctl disable") == [
        "systemctl disable --now openvpn-server@node-a-0.service"
    ]
    assert "install --remove vpn-server-node" in ran.commands
    assert "rm -f /etc/sysctl.d/70-vpn.conf" in ran.commands
    assert not [one for one in ran.commands if "portal" in one or WEB in one]


def test_a_machine_that_is_no_controller_is_not_converted(tmp_path: Path) -> None:
    ran = script("convert_to_controller.sh", tmp_path, failing=["install --check*"], units=UNITS)
    assert ran.status == 1
    assert "only an all-in-one machine can be converted" in ran.stderr
    assert ran.commands == ("install --check vpn-server-api",)
