"""What OpenVPN, clients and the heartbeat engines are given to read."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace

import pytest
from access_network import FakeNetwork
from cryptography import x509
from openvpnas import certificates, profiles, rendering, sync
from openvpnas.addresses import LocalAddress
from openvpnas.certificate_store import SERVER_NAME, CertificateStore
from openvpnas.config import Config
from openvpnas.errors import AccessServerError, InvalidValue, NotInitialised
from openvpnas.heartbeat import BACKUP, MASTER, heartbeat
from openvpnas.log import line
from openvpnas.pair import Node, Pair
from openvpnas.paths import Paths
from openvpnas.ucarp_options import NotAllowed
from openvpnas.users import Users

OWN = LocalAddress("wire0", "192.168.70.1", 24)
PAIR = Pair(
    virtual_ip="192.168.70.222",
    primary=Node("192.168.70.1"),
    secondary=Node("192.168.70.2"),
    password="secret94",
    extra_parms="--deadratio=10",
)


def server(config: Config, paths: Paths, daemon: str) -> list[str]:
    return rendering.server_config(daemon, config.all(), paths, "/log").splitlines()


@pytest.mark.parametrize("daemon", ["udp", "tcp"])
def test_tokens_are_signed_with_the_shared_secret(config: Config, paths: Paths, daemon: str):
    lines = server(config, paths, daemon)
    assert "auth-gen-token-secret auth-token.key" in lines


@pytest.mark.parametrize("daemon", ["udp", "tcp"])
def test_tokens_are_renewed_as_keys_are(config: Config, paths: Paths, daemon: str):
    # OpenVPN 2.5, which EPEL 9 has, refuses a renewal time. Left out, it is reneg-sec's.
    lines = server(config, paths, daemon)
    assert {"auth-gen-token 86100", "reneg-sec 3600"} <= set(lines)


@pytest.mark.parametrize("daemon", ["udp", "tcp"])
def test_clients_are_told_to_give_up_after_50_seconds(config: Config, paths: Paths, daemon: str):
    lines = server(config, paths, daemon)
    assert {'push "ping 12"', 'push "ping-restart 50"', "topology subnet"} <= set(lines)


def test_the_daemons_bind_to_every_address_and_answer_from_the_one_asked(
    config: Config, paths: Paths
):
    for daemon in rendering.DAEMONS:
        assert not [line for line in server(config, paths, daemon) if line.startswith("local ")]
    assert "multihome" in server(config, paths, "udp")


def test_the_daemons_have_their_ports_and_networks(config: Config, paths: Paths):
    udp, tcp = (server(config, paths, daemon) for daemon in rendering.DAEMONS)
    assert {"port 1194", "proto udp4", "server 172.27.224.0 255.255.248.0"} <= set(udp)
    assert {"port 443", "proto tcp4-server", "server 172.27.232.0 255.255.248.0"} <= set(tcp)


def test_the_web_is_reached_through_443(config: Config, paths: Paths):
    assert "port-share 127.0.0.1 943" in server(config, paths, "tcp")
    config.put({"vpn.server.port_share.enable": "false"})
    assert not [line for line in server(config, paths, "tcp") if line.startswith("port-share")]


def test_exit_notification_is_for_udp_only(config: Config, paths: Paths):
    config.put({"vpn.server.udp_exit_notify": "true"})
    assert "explicit-exit-notify 1" in server(config, paths, "udp")
    assert "explicit-exit-notify 1" not in server(config, paths, "tcp")


def test_keys_and_times_change_the_server(config: Config, paths: Paths):
    config.put({"vpn.server.session_expire": "8", "vpn.server.config_text": "mssfix 1300"})
    assert {"auth-gen-token 8", "mssfix 1300"} <= set(server(config, paths, "udp"))


def test_rendered_files_are_not_readable_by_others(paths: Paths):
    rendering.render(paths, "/log")
    for file in paths.rendered.iterdir():
        assert not file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), file


def test_a_standby_without_an_authority_renders_nothing(standby: Paths):
    with pytest.raises((NotInitialised, sqlite3.OperationalError)):
        rendering.render(standby, "/log")
    assert not standby.rendered.exists() or not list(standby.rendered.iterdir())


def test_a_revoked_certificate_is_on_the_rendered_list_at_once(paths: Paths):
    rendering.render(paths, "/log")
    store = CertificateStore.at(paths)
    issued = certificates.issue(store, "alice")
    certificates.revoke(store, "alice")
    rendering.render_refusals(paths)
    crl = x509.load_pem_x509_crl((paths.rendered / "crl.pem").read_bytes())
    assert [format(entry.serial_number, "x") for entry in crl] == [issued.serial]


def test_usages_of_server_and_client_certificates_are_right(paths: Paths):
    store = CertificateStore.at(paths)
    kept = store.valid(SERVER_NAME)
    assert kept is not None
    for issued, purpose in (
        (kept, x509.oid.ExtendedKeyUsageOID.SERVER_AUTH),
        (certificates.issue(store, "alice"), x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [purpose]


def test_a_web_certificate_is_issued_anew_only_for_other_hosts(paths: Paths):
    store = CertificateStore.at(paths)
    assert certificates.ensure_web_certificate(store, ("vpn.example.org", "192.168.70.222"))
    assert not certificates.ensure_web_certificate(store, ("192.168.70.222", "vpn.example.org"))


def test_keys_have_the_shape_that_openvpn_reads():
    static = certificates.static_key().splitlines()
    assert [len(line) for line in static[1:-1]] == [32] * 16
    token = certificates.token_key().splitlines()
    assert token[0] == "-----BEGIN OpenVPN auth-token server key-----"


def test_a_user_locked_profile_asks_for_a_password(paths: Paths, config: Config, users: Users):
    users.set_password("alice", "x")
    text = profiles.user_login("alice", config, users, CertificateStore.at(paths))
    assert "\nauth-user-pass\n" in text
    assert "\nremote vpn.example.org 1194 udp\nremote vpn.example.org 443 tcp\n" in text
    assert text.count("BEGIN CERTIFICATE") == 2


def test_a_profile_asked_for_twice_has_the_same_certificate(
    paths: Paths, config: Config, users: Users
):
    users.set_password("alice", "x")
    store = CertificateStore.at(paths)
    first, second = (profiles.user_login("alice", config, users, store) for _ in range(2))
    assert first == second


def test_an_auto_login_profile_needs_the_property(paths: Paths, config: Config, users: Users):
    users.set_password("alice", "x")
    store = CertificateStore.at(paths)
    with pytest.raises(AccessServerError, match="prop_autologin"):
        profiles.auto_login("alice", config, users, store)
    users.put("alice", "prop_autologin", "true")
    text = profiles.auto_login("alice", config, users, store)
    assert "auth-user-pass" not in text
    assert store.valid("alice_AUTOLOGIN") is not None


def test_ucarp_drops_the_address_at_exit_and_never_preempts(paths: Paths):
    command = heartbeat(PAIR, OWN, paths, "primary").command()
    assert {"--shutdown", "--neutral", "--vhid=94", "--srcip=192.168.70.1"} <= set(command)
    assert not {"--preempt", "-P"} & set(command)
    assert command[-1] == "--deadratio=10"


def test_ucarp_is_not_started_with_options_that_are_not_allowed(paths: Paths):
    pair = replace(PAIR, extra_parms="--upscript=/tmp/x")
    with pytest.raises(NotAllowed):
        heartbeat(pair, OWN, paths, "primary").command()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vpn.server.daemon.udp.port", "1194\nup /tmp/x"),
        ("ucarp.extra_parms", "--upscript=/tmp/x"),
        ("failover.primary.ssh_user", "-oProxyCommand=reboot"),
    ],
)
def test_values_that_were_not_set_here_are_checked_where_they_are_used(
    paths: Paths, config: Config, key: str, value: str
):
    config.put({"failover.mode": "ucarp", "failover.vip": "192.168.70.222"})
    for node in ("primary", "secondary"):
        config.put({f"failover.{node}.host": "192.168.70.1"})
    with config.database.changing() as connection:
        connection.execute("INSERT OR REPLACE INTO config VALUES (?, ?)", (key, value))
    with pytest.raises(InvalidValue, match=key):
        rendering.render(paths, "/log")
    with pytest.raises(InvalidValue, match=key):
        Pair.of(config.all())


def test_a_name_is_never_an_option_of_ssh_or_rsync(paths: Paths, network: FakeNetwork):
    sync.send(paths, Node("-host", ssh_user="-user"), network)
    named = [
        (command[0], "--" in command[:index])
        for command in network.asked
        for index, word in enumerate(command)
        if word.startswith("-user@-host")
    ]
    assert named == [("rsync", True), ("ssh", True)]


def test_a_log_line_is_one_line_without_control_characters():
    text = line("OVPN 0", "peer said \x1b[2J\r\nline two\x00\u2028 é\t.")
    assert text.endswith('"peer said \\x1b[2J\\r line two\\x00\\u2028 é\t."\n')


def test_the_password_is_in_a_file_and_not_on_the_command_line(paths: Paths):
    engine = heartbeat(PAIR, OWN, paths, "primary")
    assert not [word for word in engine.command() if "secret94" in word]
    assert engine.files() == {"ucarp.pass": "secret94\n"}


def test_ucarps_own_words_announce_the_role(paths: Paths):
    engine = heartbeat(PAIR, OWN, paths, "primary")
    line = "2026-01-01T00:00:00.1: [WARNING] Switching to state: "
    assert engine.role_in(line + "MASTER") == MASTER
    assert engine.role_in(line + "BACKUP") == BACKUP
    assert engine.role_in("[WARNING] Bad digest") is None


@pytest.mark.parametrize("version", [2, 3])
def test_keepalived_starts_as_backup_on_both_nodes_and_never_preempts(paths: Paths, version: int):
    pair = Pair(
        "192.168.70.222", PAIR.primary, PAIR.secondary, engine="keepalived", vrrp_version=version
    )
    texts = [
        heartbeat(pair, OWN, paths, node).files()["keepalived.conf"]
        for node in ("primary", "secondary")
    ]
    for text in texts:
        assert "state BACKUP" in text
        assert "nopreempt" in text
        assert "state MASTER" not in text
        assert f"vrrp_version {version}" in text
    assert "priority 150" in texts[0]
    assert "priority 100" in texts[1]


def test_any_state_of_keepalived_but_master_is_backup(paths: Paths):
    pair = Pair("192.168.70.222", PAIR.primary, PAIR.secondary, engine="keepalived")
    engine = heartbeat(pair, OWN, paths, "primary")
    assert engine.role_in('INSTANCE "openvpnas" FAULT 150') == BACKUP
    assert engine.role_in('INSTANCE "openvpnas" MASTER 150') == MASTER
    assert engine.role_in("(openvpnas) Entering MASTER STATE") is None
