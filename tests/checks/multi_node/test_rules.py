"""MN-28 and MN-29: rules that are not the guide's are found wherever they stand."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.rules import forward_objections, input_objections, nat_objections
from checks.protocols.iptables import read_ruleset
from tests.checks.multi_node.access_runs import INTERFACE, ruleset, run_mn_28, run_mn_29
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.multi_node.test_tightened import changed
from tests.checks.sites import GUIDE

REDIRECT = "[0:0] -A PREROUTING -p udp -m udp --dport 53 -j REDIRECT --to-ports 1194"
OWN_CHAIN = (
    ":clients - [0:0]\n[0:0] -A FORWARD -j clients\n[0:0] -A clients -i tun+ -o tun+ -j ACCEPT"
)
REFUSAL = {4: "icmp-host-prohibited", 6: "icmp6-adm-prohibited"}
OUTWARDS = f"[0:0] -A FORWARD -i tun+ -o {INTERFACE} -j ACCEPT"
INVALID = "[0:0] -A FORWARD -m conntrack --ctstate INVALID -j DROP"


def input_of(text: str, family: int) -> list[str]:
    return [*input_objections(read_ruleset(text), GUIDE, family)]


def nat_of(text: str, family: int) -> list[str]:
    return [*nat_objections(read_ruleset(text), GUIDE, "node-b", family)]


def forward_of(text: str, family: int) -> list[str]:
    return [*forward_objections(read_ruleset(text), INTERFACE, family)]


@pytest.mark.parametrize("family", [4, 6])
def test_the_guides_rules_are_its_own(family: int) -> None:
    text = ruleset("node-b", family)
    assert input_of(text, family) == nat_of(text, family) == forward_of(text, family) == []


def test_a_port_that_is_redirected_to_openvpn_is_let_in(tmp_path: Path) -> None:
    chain = ":POSTROUTING ACCEPT [0:0]"
    run = changed(run_mn_28(), "node-b", "ipv4", chain, f"{chain}\n{REDIRECT}")
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "-p udp --dport 53 -j REDIRECT --to-ports 1194 in PREROUTING is none of" in text


@pytest.mark.parametrize("chain", ["PREROUTING", "INPUT", "OUTPUT", "anywhere"])
def test_addresses_are_translated_for_clients_alone(chain: str) -> None:
    text = ruleset("node-b", 4)
    added = f"[0:0] -A {chain} -j ACCEPT"
    said = nat_of(text.replace("*nat\n", f"*nat\n:{chain} - [0:0]\n{added}\n"), 4)
    assert said == [f"-j ACCEPT in {chain} is none of the guide's"]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("INPUT -m conntrack --ctstate RELATED", "--ctstate RELATED,ESTABLISHED is not let in"),
        ("INPUT -i lo", "-i lo is not let in"),
        ("INPUT -p i", "icmp is not let in"),
    ],
)
def test_answers_the_machine_itself_and_icmp_are_let_in(rule: str, words: str, family: int) -> None:
    lines = ruleset("node-b", family).splitlines()
    kept = [line for line in lines if rule not in line]
    assert len(kept) == len(lines) - 1
    (said,) = input_of("\n".join(kept), family)
    assert words in said


def test_a_rule_behind_the_refusal_lets_nothing_in() -> None:
    lines = ruleset("node-b", 4).splitlines()
    (answers,) = [line for line in lines if "INPUT -m conntrack --ctstate RELATED" in line]
    (last,) = [line for line in lines if "INPUT -j REJECT" in line]
    lines.remove(answers)
    lines.insert(lines.index(last) + 1, answers)
    (said,) = input_of("\n".join(lines), 4)
    assert "is not let in" in said


def test_a_chain_of_its_own_that_forwards_from_client_to_client_is_named(tmp_path: Path) -> None:
    policy = ":FORWARD ACCEPT [0:0]"
    run = changed(run_mn_29(), "node-b", "ipv4", policy, f"{policy}\n{OWN_CHAIN}")
    text = judge_mutant(run, "MN-29", tmp_path)
    assert "node-b, IPv4: -j clients is none of the guide's" in text


@pytest.mark.parametrize("family", [4, 6])
def test_clients_are_not_let_out_behind_the_refusal(family: int) -> None:
    text = ruleset("node-b", family).replace(f"{OUTWARDS}\n", "")
    refusal = f"FORWARD -j REJECT --reject-with {REFUSAL[family]}"
    behind = text.replace(refusal, f"{refusal}\n{OUTWARDS}")
    assert forward_of(behind, family) == ["clients are not let out"]


def test_a_node_may_drop_what_belongs_to_no_connection(tmp_path: Path) -> None:
    run = run_mn_29()
    for one in run.all("firewall.shown", "node-b"):
        lines = one["ipv4"].splitlines()
        at = next(number for number, line in enumerate(lines) if "-A FORWARD" in line)
        one["ipv4"] = "\n".join([*lines[:at], INVALID, *lines[at:]])
    verdict = run.judge("MN-29", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
