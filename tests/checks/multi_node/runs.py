"""A good recording for each multi-node requirement, for tests to judge and to mutate."""

from collections.abc import Callable
from pathlib import Path

from checks.engine.verdict import Status
from checks.multi_node.guide import FAMILIES, HOSTS, NODES, RECORD_TYPE, TRANSPORTS
from checks.multi_node.profiles import EDITED
from tests.checks.factories import (
    Data,
    Run,
    add_tunnel,
    dns_answer,
    good_config,
    good_names,
    server_state,
    udp,
)


def addresses(machine: str) -> Data:
    host = HOSTS[machine]
    entries = [
        {"family": "inet", "local": host.ipv4, "prefixlen": 24},
        {"family": "inet6", "local": host.ipv6, "prefixlen": 64},
    ]
    return {"links": [{"ifname": "lo"}, {"ifname": "wire0", "addr_info": entries}]}


def run_mn_01() -> Run:
    run = Run()
    for machine in HOSTS:
        run.events.append(("addresses", machine, addresses(machine)))
        run.events.append(("names", machine, {"answers": good_names()}))
    return run


def run_config() -> Run:
    return Run(events=[("controller.config", "controller", good_config())])


def run_mn_06() -> Run:
    return Run(
        events=[
            (
                "php.lint",
                machine,
                {"files": [{"path": p, "status": 0, "output": ""} for p in paths]},
            )
            for machine, paths in EDITED.items()
        ]
    )


def http(machine: str, family: int, credentials: str) -> tuple[str, str, Data]:
    if machine not in NODES:
        status, kind, body = 403, "text/html; charset=iso-8859-1", "<!DOCTYPE HTML>403"
    else:
        word = "missing" if credentials == "none" else "invalid"
        status, kind = 401, "application/json"
        body = f'{{"error":"{word} authentication information"}}'
    data = {"family": family, "credentials": credentials, "status": status, "detail": ""}
    return "http", machine, {**data, "content_type": kind, "body": body}


def run_http() -> Run:
    machines = (*NODES, "client", "services")
    return Run(
        events=[http(m, f, c) for m in machines for f in FAMILIES for c in ("none", "wrong")]
    )


def run_mn_13() -> Run:
    return Run(events=[("server.state", node, server_state(node)) for node in NODES])


def run_mn_15() -> Run:
    run = Run()
    ways = [(n, t, f) for n in NODES for t in TRANSPORTS for f in FAMILIES]
    for number, way in enumerate(ways):
        add_tunnel(run, *way, number)
    return run


def run_mn_21() -> Run:
    run = Run(events=[("names", "client", {"answers": good_names()})])
    for number, (node, family) in enumerate((n, f) for n in NODES for f in FAMILIES):
        add_tunnel(run, node, "udp", family, number)
    return run


def rotating(family: int, number: int) -> list[str]:
    order = NODES if number % 2 else NODES[::-1]
    return [HOSTS[node].address(family) for node in order]


def run_mn_22(count: int = 200, order: Callable[[int, int], list[str]] = rotating) -> Run:
    run = Run()
    for family in FAMILIES:
        kind, told = RECORD_TYPE[family], []
        for number in range(count):
            query = number % 150  # ids repeat, as random ones do
            answer = order(family, number)
            told.append({"id": query, "status": "NOERROR", "addresses": answer})
            frame = dns_answer(query, kind, answer)
            run.frames.append(
                udp((HOSTS["services"].ipv4, 53), (HOSTS["client"].ipv4, 4000), frame)
            )
        run.events.append(("dns.answers", "client", {"type": kind, "answers": told}))
    return run


def run_mn_23(on_a: int = 9, clients: int = 16) -> Run:
    run, rows = Run(), []
    for number in range(clients):
        node = "node-a" if number < on_a else "node-b"
        data = add_tunnel(run, node, "udp", 4 if number % 2 else 6, number)
        rows.append({"profile_id": node, "ip4": data["tunnel4"], "connected_at": "now"})
    run.events.append(("connection.log", "controller", {"rows": rows}))
    return run


GOOD: dict[str, Callable[[], Run]] = {
    "MN-01": run_mn_01,
    "MN-04": run_config,
    "MN-05": run_config,
    "MN-06": run_mn_06,
    "MN-07": run_http,
    "MN-08": run_http,
    "MN-13": run_mn_13,
    "MN-15": run_mn_15,
    "MN-21": run_mn_21,
    "MN-22": run_mn_22,
    "MN-23": run_mn_23,
}


def judge_mutant(run: Run, requirement: str, directory: Path) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.FAIL, verdict.text
    return verdict.text
