"""A good recording for each multi-node requirement, for tests to judge and to mutate."""

from collections.abc import Callable
from pathlib import Path

from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE, TRANSPORTS
from checks.multi_node.profiles import edited
from checks.protocols.round_robin import least_clients
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
from tests.checks.multi_node import access_runs, maintained
from tests.checks.multi_node.installed_runs import good_installed
from tests.checks.multi_node.portal_runs import good_portal
from tests.checks.sites import GUIDE


def addresses(machine: str, site: Deployment = GUIDE) -> Data:
    host = site.hosts[machine]
    entries = [
        {"family": "inet", "local": host.address(4), "prefixlen": host.bits[4]},
        {"family": "inet6", "local": host.address(6), "prefixlen": host.bits[6]},
    ]
    return {
        "links": [
            {"ifname": "lo", "operstate": "UNKNOWN"},
            {"ifname": "wire0", "operstate": "UP", "mtu": 1500, "addr_info": entries},
        ]
    }


def run_mn_01(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    for machine in site.hosts:
        run.events.append(("interfaces.shown", machine, addresses(machine, site)))
        run.events.append(("names.answered", machine, {"answers": good_names(site)}))
    return run


def run_config(site: Deployment = GUIDE) -> Run:
    events = [("controller.config", site.controller.name, good_config(site))]
    return Run(events, site=site)


def run_mn_06(site: Deployment = GUIDE) -> Run:
    return Run(
        site=site,
        events=[
            (
                "php.linted",
                machine,
                {"files": [{"path": p, "status": 0, "output": ""} for p in paths]},
            )
            for machine, paths in edited(site).items()
        ],
    )


def http(
    machine: str, family: int, credentials: str, site: Deployment = GUIDE
) -> tuple[str, str, Data]:
    if machine not in site.nodes:
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


def run_http(site: Deployment = GUIDE) -> Run:
    machines = (*site.nodes, *site.strangers)
    asked = [(m, f, c) for m in machines for f in FAMILIES for c in ("none", "wrong")]
    return Run(events=[http(*one, site) for one in asked], site=site)


def run_mn_13(site: Deployment = GUIDE) -> Run:
    events = [("server.state", node, server_state(node, site)) for node in site.nodes]
    events += [("server.ages", node, server_ages(node, site)) for node in site.nodes]
    return Run(events, site=site)


def run_mn_15(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    ways = [(n, t, f) for n in site.nodes for t in TRANSPORTS for f in FAMILIES]
    for number, way in enumerate(ways):
        add_tunnel(run, *way, number)
    return run


def run_mn_21(site: Deployment = GUIDE) -> Run:
    answered = ("names.answered", site.client.name, {"answers": good_names(site)})
    run = Run([answered], site=site)
    for number, (node, family) in enumerate((n, f) for n in site.nodes for f in FAMILIES):
        add_tunnel(run, node, "udp", family, number)
    return run


def rotating(family: int, number: int) -> list[str]:
    return GUIDE.node_addresses(family)[:: 1 if number % 2 else -1]


def cyclic(site: Deployment) -> Callable[[int, int], list[str]]:
    """Return an order of answers in which each node comes first in its turn."""

    def order(family: int, number: int) -> list[str]:
        addresses = site.node_addresses(family)
        turn = number % len(addresses)
        return addresses[turn:] + addresses[:turn]

    return order


def run_mn_22(
    count: int = 200,
    order: Callable[[int, int], list[str]] = rotating,
    site: Deployment = GUIDE,
) -> Run:
    run = Run(site=site)
    for family in FAMILIES:
        kind, told = RECORD_TYPE[family], []
        question = {"name": site.shared_name, "type": kind}
        for number in range(count):
            query = number % 150  # ids repeat, as random ones do
            answer = order(family, number)
            told.append({"id": query, "status": "NOERROR", "addresses": answer, **question})
            message = dns_answer(query, kind, answer, site.shared_name)
            server, asker = (site.services.address(4), 53), (site.client.address(4), 4000)
            run.frames.append(sent(udp(server, asker, message), site=site))
        run.events.append(("dns.answered", site.client.name, {"type": kind, "answers": told}))
    return run


def evenly(site: Deployment) -> list[tuple[str, int, int]]:
    """Return as many landings as it takes, and no more, spread over nodes and families."""
    ways = [(node, family) for node in site.nodes for family in FAMILIES]
    each, more = divmod(least_clients(len(site.nodes)), len(ways))
    return [(*way, each + (number < more)) for number, way in enumerate(ways)]


def run_mn_23(*landings: tuple[str, int, int], site: Deployment = GUIDE) -> Run:
    """Clients that landed: (node, family, how many); 9 and 7 over both families without any."""
    run, rows = Run(site=site), []
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
                "uncertainty_ns": SECOND,
            }
        )
    log = {"rows": rows}
    run.events.append(("connection.log", site.controller.name, log))
    return run


WRONG = ("update_controller.sh", "stop_node.sh", "update_node.sh", "start_node.sh")

GOOD: dict[str, Callable[[], Run]] = {
    "MN-01": run_mn_01,
    "MN-04": run_config,
    "MN-05": run_config,
    "MN-06": run_mn_06,
    "MN-07": run_http,
    "MN-08": run_http,
    "MN-10": access_runs.run_mn_10,
    "MN-11": access_runs.run_mn_11,
    "MN-13": run_mn_13,
    "MN-15": run_mn_15,
    "MN-21": run_mn_21,
    "MN-22": run_mn_22,
    "MN-23": run_mn_23,
    "MN-28": access_runs.run_mn_28,
    "MN-29": access_runs.run_mn_29,
    "MN-14": maintained.applied,
    "MN-24": maintained.node_lost,
    "MN-25": maintained.maintenance,
    "MN-26": lambda: maintained.maintenance(WRONG),
    "MN-27": maintained.maintenance,
    "MN-30": maintained.controller_lost,
    **good_portal(GUIDE),
    **good_installed(GUIDE),
}


def good_of(site: Deployment) -> dict[str, Callable[[], Run]]:
    """Return a good recording of a site, with any number of nodes, for each requirement."""
    return {
        "MN-01": lambda: run_mn_01(site),
        "MN-04": lambda: run_config(site),
        "MN-05": lambda: run_config(site),
        "MN-06": lambda: run_mn_06(site),
        "MN-07": lambda: run_http(site),
        "MN-08": lambda: run_http(site),
        "MN-10": lambda: access_runs.run_mn_10(site),
        "MN-11": lambda: access_runs.run_mn_11(site),
        "MN-13": lambda: run_mn_13(site),
        "MN-15": lambda: run_mn_15(site),
        "MN-21": lambda: run_mn_21(site),
        "MN-22": lambda: run_mn_22(204, cyclic(site), site),
        "MN-23": lambda: run_mn_23(*evenly(site), site=site),
        "MN-28": lambda: access_runs.run_mn_28(site),
        "MN-29": lambda: access_runs.run_mn_29(site),
        "MN-14": lambda: maintained.applied(site),
        "MN-24": lambda: maintained.node_lost(site),
        "MN-25": lambda: maintained.maintenance(site=site),
        "MN-26": lambda: maintained.maintenance(WRONG, site),
        "MN-27": lambda: maintained.maintenance(site=site),
        "MN-30": lambda: maintained.controller_lost(site),
        **good_portal(site),
        **good_installed(site),
    }


def judge_mutant(run: Run, requirement: str, directory: Path) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.FAIL, verdict.text
    return verdict.text
