"""A good recording for each multi-node requirement, for tests to judge and to mutate."""

from collections.abc import Callable
from pathlib import Path

from checks.engine.verdict import Status
from checks.multi_node.guide import (
    FAMILIES,
    HOSTS,
    NODES,
    RECORD_TYPE,
    SHARED_NAME,
    TRANSPORTS,
)
from checks.multi_node.profiles import EDITED
from tests.checks.factories import (
    SECOND,
    START_NS,
    Data,
    Run,
    add_tunnel,
    dns_answer,
    good_config,
    good_names,
    sent,
    server_ages,
    server_state,
    udp,
)


def addresses(machine: str) -> Data:
    host = HOSTS[machine]
    entries = [
        {"family": "inet", "local": host.ipv4, "prefixlen": 24},
        {"family": "inet6", "local": host.ipv6, "prefixlen": 64},
    ]
    return {
        "links": [
            {"ifname": "lo", "operstate": "UNKNOWN"},
            {"ifname": "wire0", "operstate": "UP", "mtu": 1500, "addr_info": entries},
        ]
    }


def run_mn_01() -> Run:
    run = Run()
    for machine in HOSTS:
        run.events.append(("interfaces.shown", machine, addresses(machine)))
        run.events.append(("names.answered", machine, {"answers": good_names()}))
    return run


def run_config() -> Run:
    return Run(events=[("controller.config", "controller", good_config())])


def run_mn_06() -> Run:
    return Run(
        events=[
            (
                "php.linted",
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
    data = {
        "url": "https://x",
        "family": family,
        "credentials": credentials,
        "status": status,
        "detail": "",
    }
    return "api.answered", machine, {**data, "content_type": kind, "body": body}


def run_http() -> Run:
    machines = (*NODES, "client", "services")
    return Run(
        events=[http(m, f, c) for m in machines for f in FAMILIES for c in ("none", "wrong")]
    )


def run_mn_13() -> Run:
    run = Run(events=[("server.state", node, server_state(node)) for node in NODES])
    run.events += [("server.ages", node, server_ages(node)) for node in NODES]
    return run


def run_mn_15() -> Run:
    run = Run()
    ways = [(n, t, f) for n in NODES for t in TRANSPORTS for f in FAMILIES]
    for number, way in enumerate(ways):
        add_tunnel(run, *way, number)
    return run


def run_mn_21() -> Run:
    run = Run(events=[("names.answered", "client", {"answers": good_names()})])
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
        question = {"name": SHARED_NAME, "type": kind}
        for number in range(count):
            query = number % 150  # ids repeat, as random ones do
            answer = order(family, number)
            told.append({"id": query, "status": "NOERROR", "addresses": answer, **question})
            frame = dns_answer(query, kind, answer)
            asker = HOSTS["client"].ipv4, 4000
            run.frames.append(sent(udp((HOSTS["services"].ipv4, 53), asker, frame)))
        run.events.append(("dns.answered", "client", {"type": kind, "answers": told}))
    return run


def run_mn_23(*landings: tuple[str, int, int]) -> Run:
    """Clients that landed: (node, family, how many); 9 and 7 over both families without any."""
    run, rows = Run(), []
    each = landings or (("node-a", 4, 5), ("node-a", 6, 4), ("node-b", 4, 3), ("node-b", 6, 4))
    clients = [(node, family) for node, family, count in each for _ in range(count)]
    for number, (node, family) in enumerate(clients):
        data = add_tunnel(run, node, "udp", family, number)
        rows.append(
            {
                "profile_id": node,
                "ip4": data["tunnel4"],
                "connected_at": "2023-11-14T22:13:22+00:00",
                "disconnected_at": None,
                "connected_ns": START_NS + 2 * SECOND,
            }
        )
    run.events.append(("connection.log", "controller", {"rows": rows, "uncertainty_ns": SECOND}))
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
