"""MN-13 rejects whatever apply_changes does not generate."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import SECOND, START_NS
from tests.checks.multi_node.runs import judge_mutant, run_mn_13

GENUINE = """\
#
# OpenVPN Server Configuration
#
# ******************************************
# * THIS FILE IS GENERATED, DO NOT MODIFY! *
# ******************************************
#
cipher AES-256-GCM
client-connect /usr/lib/vpn-server-node/client-connect
client-disconnect /usr/lib/vpn-server-node/client-disconnect
dev tun0
dev-type tun
dh none
explicit-exit-notify 1
group nogroup
keepalive 10 60
local ::
log /dev/null
management 127.0.0.1 11940
max-clients 61
ncp-ciphers AES-256-GCM
persist-key
persist-tun
port 1194
proto udp6
push "block-outside-dns"
push "dhcp-option DNS 145.0.6.10"
push "explicit-exit-notify 1"
push "redirect-gateway def1 ipv6 block-local"
remote-cert-tls client
reneg-sec 36000
script-security 2
server 10.1.0.0 255.255.255.192
server-ipv6 fd00:1:1:1::/112
setenv PROFILE_ID node-a
tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384
tls-version-min 1.2
topology subnet
user nobody
verb 3
<ca>
</ca>
<cert>
</cert>
<key>
</key>
<tls-crypt>
</tls-crypt>
"""
"""What apply_changes made of node-a, with the contents of inline blocks left out."""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("management 127.0.0.1 11940", "management 145.0.6.72 11940", "management is '145.0.6.72"),
        ("server 10.1.0.0 255.255.255.192", "server 10.1.0.0 255.255.255.128", "server is"),
        ("proto udp6", "proto udp", "proto is 'udp', not 'udp6'"),
        ("dev tun0", "dev tun", "dev is 'tun', not 'tun0'"),
        ("keepalive 10 60", "", "keepalive is absent"),
        ("setenv PROFILE_ID node-a", "setenv PROFILE_ID node-b", "setenv is"),
        ("<tls-crypt>", "", "<tls-crypt> is absent"),
        ('push "explicit-exit-notify 1"', "", "belongs to UDP"),
    ],
)
def test_mn_13_rejects_other_directives(old, new, words, tmp_path: Path) -> None:
    run = run_mn_13()
    files = run.find("server.state", "node-a")["files"]
    assert old in files["node-a-0.conf"]
    files["node-a-0.conf"] = files["node-a-0.conf"].replace(old, new)
    assert f"node-a-0.conf: {words}" in judge_mutant(run, "MN-13", tmp_path).replace(
        'push "explicit-exit-notify 1" belongs', "belongs"
    )


@pytest.mark.parametrize(
    ("key", "old", "new", "words"),
    [
        ("sockets", "127.0.0.1:11940", "145.0.6.72:11940", "also listens on tcp 145.0.6.72:11940"),
        ("sockets", "127.0.0.1:11941", "127.0.0.1:11950", "listens on tcp 127.0.0.1:11941"),
        ("sockets", "pid=501", "pid=500", "one process serves both protocols"),
        ("units", "node-a-1.service loaded active running", "node-a-1.service loaded failed failed",
         "openvpn-server@node-a-1.service is failed failed"),
        ("units", "openvpn-server@node-a-0", "openvpn-server@internet-0",
         "openvpn-server@internet-0.service should not be active"),
    ],
)  # fmt: skip
def test_mn_13_rejects_other_sockets_and_units(key, old, new, words, tmp_path: Path) -> None:
    run = run_mn_13()
    state = run.find("server.state", "node-a")
    assert old in state[key]
    state[key] = state[key].replace(old, new)
    assert words in judge_mutant(run, "MN-13", tmp_path)


def test_mn_13_rejects_configs_of_the_other_node(tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.state", "node-a")["files"]["node-b-0.conf"] = "dev tun64"
    assert "'node-b-0.conf'" in judge_mutant(run, "MN-13", tmp_path)


def test_mn_13_rejects_a_device_too_few(tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.state", "node-b")["links"].pop()
    assert "node-b: tun devices are ['tun64']" in judge_mutant(run, "MN-13", tmp_path)


# Rows of recorded evidence that was judged wrongly


@pytest.mark.parametrize(
    "line",
    [
        "verify-client-cert none",
        "duplicate-cn",
        "auth none",
        "client-to-client",
        'push "route 10.9.0.0 255.255.0.0"',
        "<crl-verify>\n</crl-verify>",
        "user root",
    ],
)
@pytest.mark.parametrize("process", [0, 1])
def test_mn_13_server_config_has_a_further_directive_that_is_never_generated(
    line: str, process: int, tmp_path: Path
) -> None:
    run = run_mn_13()
    files = run.find("server.state", "node-b")["files"]
    files[f"node-b-{process}.conf"] += f"\n{line}\n"
    text = judge_mutant(run, "MN-13", tmp_path)
    assert f"node-b: node-b-{process}.conf: {line.split()[0]}" in text
    assert "never generated" in text


def test_mn_13_rejects_openvpn_as_root(tmp_path: Path) -> None:
    run = run_mn_13()
    files = run.find("server.state", "node-a")["files"]
    files["node-a-1.conf"] = files["node-a-1.conf"].replace("user nobody", "user root")
    assert "user is 'root', which is never generated" in judge_mutant(run, "MN-13", tmp_path)


def test_mn_13_a_state_that_was_right_only_at_last_fails(tmp_path: Path) -> None:
    run = run_mn_13()
    first = {**run.find("server.state", "node-a"), "units": ""}
    run.events.insert(0, ("server.state", "node-a", first))
    text = judge_mutant(run, "MN-13", tmp_path)
    assert "openvpn-server@node-a-0.service is not loaded, not running" in text


def test_mn_13_takes_the_config_of_a_genuine_run(tmp_path: Path) -> None:
    run = run_mn_13()
    files = run.find("server.state", "node-a")["files"]
    files["node-a-0.conf"] = GENUINE
    verdict = run.judge("MN-13", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


# A process that is older than its file


def test_mn_13_rejects_a_process_that_is_older_than_its_configuration(tmp_path: Path) -> None:
    run = run_mn_13()
    ages = run.find("server.ages", "node-b")
    ages["processes"][1]["started_ns"] = ages["files"][1]["written_ns"] - 12 * SECOND
    text = judge_mutant(run, "MN-13", tmp_path)
    assert "node-b: node-b-1.conf was written 12.00 s after the process that reads it" in text
    assert "node-b-0.conf" not in text


def test_mn_13_one_of_two_processes_of_a_file_that_is_older_fails(tmp_path: Path) -> None:
    run = run_mn_13()
    ages = run.find("server.ages", "node-a")
    old = {"config": "node-a-0.conf", "started_ns": ages["files"][0]["written_ns"] - SECOND}
    ages["processes"].append(old)
    assert "node-a-0.conf was written 1.00 s after" in judge_mutant(run, "MN-13", tmp_path)


@pytest.mark.parametrize("part", ["files", "processes"])
def test_mn_13_without_one_of_the_ages_is_unknown(part: str, tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.ages", "node-a")[part].pop()
    verdict = run.judge("MN-13", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "node-a-1.conf" in verdict.text


def test_mn_13_a_process_that_reads_a_file_of_before_is_named(tmp_path: Path) -> None:
    run = run_mn_13()
    stale = {"config": "internet-0.conf", "started_ns": START_NS - 3000 * SECOND}
    run.find("server.ages", "node-b")["processes"].append(stale)
    text = judge_mutant(run, "MN-13", tmp_path)
    assert "node-b: a process reads internet-0.conf, which is not to be there" in text


def test_mn_13_without_any_ages_is_unknown(tmp_path: Path) -> None:
    run = run_mn_13()
    run.events = [one for one in run.events if one[:2] != ("server.ages", "node-b")]
    verdict = run.judge("MN-13", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "server.ages" in verdict.text


@pytest.mark.parametrize("apart_ns", [-SECOND // 100, 0, SECOND // 100])
def test_mn_13_is_unknown_within_what_the_reading_may_be_off_by(
    apart_ns: int, tmp_path: Path
) -> None:
    run = run_mn_13()
    ages = run.find("server.ages", "node-a")
    ages["processes"][0]["started_ns"] = ages["files"][0]["written_ns"] + apart_ns
    verdict = run.judge("MN-13", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "of the same moment" in verdict.text


def test_mn_13_a_file_of_a_clock_that_was_not_set_orders_nothing(tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.ages", "node-a")["files"][0]["written_ns"] = 12 * SECOND
    verdict = run.judge("MN-13", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "before the software was published" in verdict.text


# Which software a verdict is about


@pytest.mark.parametrize("software", ["genuine", "drop-in"])
def test_each_verdict_names_the_software_it_is_about(software: str, tmp_path: Path) -> None:
    run = run_mn_13()
    run.software = software
    assert f"software: {software}" in run.judge("MN-13", tmp_path).reasons


def test_a_failing_verdict_names_it_too_and_an_older_run_none(tmp_path: Path) -> None:
    for software, named in (("genuine", True), ("", False)):
        run = run_mn_13()
        run.software = software
        run.find("server.state", "node-a")["units"] = ""
        place = tmp_path / (software or "older")
        place.mkdir()
        verdict = run.judge("MN-13", place)
        assert verdict.status is Status.FAIL
        assert any(reason.startswith("software:") for reason in verdict.reasons) is named
