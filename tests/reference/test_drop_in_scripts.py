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


# Let's Encrypt

ENCRYPT = f"lets_encrypt_{'debian' if WEB == 'apache2' else 'centos'}.sh"
FQDN = "frkovpn.tuxed.net"


def encrypted(place: Path, **options: object) -> tuple[Ran, str]:
    """Run the script with a site in the folder; return what became of the site, too."""
    archive, sites = copied(place), place / "sites"
    sites.mkdir()
    platform = archive / "resources/platform.sh"
    platform.write_text(f"{platform.read_text()}\nSITES={sites}\n")
    site = sites / f"{FQDN}.conf"
    site.write_text(
        "    SSLCertificateFile /etc/ssl/certs/x.crt\n    SSLCertificateKeyFile /etc/ssl/x.key\n"
    )
    ran = run(archive / ENCRYPT, place, **options)  # type: ignore[arg-type]
    return ran, site.read_text()


def test_the_site_shows_the_certificate_that_certbot_got(tmp_path: Path) -> None:
    ran, site = encrypted(tmp_path, stdin=f"{FQDN}\n")
    assert ran.status == 0
    stopped, got, started = ran.naming("systemctl stop", "certbot", "systemctl start")
    assert (stopped, started) == (f"systemctl stop {WEB}", f"systemctl start {WEB}")
    assert got.startswith(f"certbot certonly --standalone -d {FQDN} ")
    live = f"/etc/letsencrypt/live/{FQDN}"
    assert f"SSLCertificateFile {live}/fullchain.pem" in site
    assert f"SSLCertificateKeyFile {live}/privkey.pem" in site


def test_a_refused_certificate_leaves_the_site_as_it_was(tmp_path: Path) -> None:
    ran, site = encrypted(tmp_path, stdin=f"{FQDN}\n", failing=["certbot*"])
    assert ran.status == 1
    assert ran.commands[-1] == f"systemctl start {WEB}"
    assert "the certificate stays as it was" in ran.stderr
    assert "letsencrypt" not in site


@pytest.mark.parametrize("name", ["not a name", "other.example", "x;reboot"])
def test_another_name_than_the_sites_stops_nothing(name: str, tmp_path: Path) -> None:
    ran, _ = encrypted(tmp_path, stdin=f"{name}\n")
    assert ran.status == 1
    assert "ERROR: " in ran.stderr
    assert not ran.naming("systemctl stop", "certbot")
