"""Mutants of takeovers, of returning nodes, and of filters: FO-24 to FO-31, FO-41 to 44, FO-47."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evidence.events.pair import FilterBegan, SteadyBegan, TcpdumpPrinted
from evidence.events.takeover import RebootLoopBegan
from evidence.packets import ARP
from lab.wait import pause
from lab.wire import Drop, Match, Rule
from provision.failover.access_server import SERVICE
from scenarios.failover import test_troubleshooting
from scenarios.failover.pair import HEARTBEAT, Pair
from scenarios.mutants.access_server import (
    Patched,
    restart,
    second_ucarp,
    with_options,
)
from scenarios.mutants.failover_running import POWER_OFF
from scenarios.mutants.mutant import Broken, Mutant

_SPLITS = "test_troubleshooting.py::"
_IN_THE_LOOP_S = 20.0
_VIRTUAL_MAC = "00:00:5e:00:00:5e"  # of VHID 94
_NOBODYS_FRAME = "ffffffffffff02000000530188b5"  # of a MAC and a protocol that nobody has
_STATE_MASTER = Patched(
    ("primary",), "heartbeat.py", "    state BACKUP\n", "    state MASTER\n", restarts=False
)


def ten_silent(broken: Broken) -> None:
    """Let the standby wait for ten advertisements."""
    with_options((broken.standby,), "ucarp", "--deadratio=10")(broken)


def primary_waits(broken: Broken) -> None:
    """Let the primary wait for ten advertisements, and the secondary be away for longer.

    Else the restarted secondary is back before that, and the primary never becomes active.
    """
    broken.pair.make_active("secondary")
    broken.wrap("primary", "ucarp", 'exec "$genuine" "$@" --deadratio=10')
    restart(broken, "primary")
    broken.wrap("secondary", "ucarp", 'sleep 15\nexec "$genuine" "$@"')  # once it is restarted


def primary_is_stopped(broken: Broken) -> None:
    """Let the primary's service be stopped while the secondary is active.

    A dead ratio of 1 on the secondary is no mutant: which node then comes first is a race of the
    primary's 3 s with the restart of the other.
    """
    broken.pair.make_active("secondary")
    broken.pair.service("primary", "stop")


def state_master(broken: Broken) -> None:
    """Let keepalived begin as master on the primary, and so without `nopreempt`, once it boots.

    Not before: it would take the role while the pair is set up, and in the clean stop. The
    secondary is made active first, so that it is the primary whose power is cut: of two that
    begin as masters the one with the higher priority takes the role.
    """
    broken.pair.make_active("secondary")

    def write() -> None:
        _STATE_MASTER(broken)
        broken.lab["primary"].run("sync")

    broken.after(SteadyBegan, write)


def slow_services(broken: Broken) -> None:
    """Let OpenVPN start 15 s late on the standby."""
    broken.wrap(broken.standby, "openvpn", 'sleep 15\nexec "$genuine" "$@"')


def no_gratuitous_arp(broken: Broken) -> None:
    """Drop what a node says by ARP of the virtual IP, where it is to be said to all."""
    match = Match(ethertype=ARP, src_ip=broken.pair.virtual_ip, dst_mac="ff:ff:ff:ff:ff:ff")
    rule = broken.lab.wire.add(Rule(match, Drop()))
    broken.undone.callback(broken.lab.wire.remove, rule)


def virtual_ip_stays(broken: Broken) -> None:
    """Let the active node have the virtual IP again once its service has stopped."""
    address, place = broken.pair.virtual_ip, f"/etc/systemd/system/{SERVICE}.service.d"
    line = f"[Service]\nExecStopPost=/sbin/ip address replace {address}/32 dev wire0\n"
    active = broken.lab[broken.pair.active()]
    active.put(line, f"{place}/stays.conf")
    active.run("systemctl daemon-reload")


def preempts_when_it_boots(broken: Broken) -> None:
    """Let the active node take the role when it boots, from one that advertises more seldom."""
    active = broken.pair.active()
    with_options((broken.standby,), "ucarp", "--advskew=100")(broken)
    broken.wrap(active, "ucarp", 'exec "$genuine" "$@" --preempt')  # the one that runs goes on


def heartbeat_pauses_in_the_loop(broken: Broken) -> None:
    """Let the active node be silent for a while during the reboot loop."""
    peer = broken.standby  # it is active once the other one has failed

    def pause_it() -> None:
        pause(_IN_THE_LOOP_S)
        broken.lab[peer].run("pkill -STOP -x ucarp; sleep 2.5; pkill -CONT -x ucarp")

    broken.after(RebootLoopBegan, pause_it)


def logs_nowhere(broken: Broken) -> None:
    """Let the standby's log of failover events be lost."""
    broken.lab[broken.standby].run("ln -sf /dev/null /var/log/openvpnas.log")


def nothing_is_heard(broken: Broken) -> None:
    """Filter the heartbeat on the wire once the secondary's service is stopped."""
    secondary = broken.lab["secondary"]
    match = Match(protocol=HEARTBEAT, to_ports=(broken.pair.port("secondary"),))

    def stopped() -> bool:
        return secondary.run(f"systemctl is-active -q {SERVICE}", check=False).status != 0

    def filter_it() -> None:
        rule = broken.lab.wire.add(Rule(match, Drop()))
        # Else it would be active, and the scenario waits for it to stand by.
        broken.after(TcpdumpPrinted, lambda: broken.lab.wire.remove(rule))

    broken.once(stopped, filter_it)


def filtered_in_a_guest_only(broken: Broken) -> None:
    """Let what filters the heartbeat be the standby's own firewall."""
    standby = broken.standby

    def inside(_: object) -> object:
        return test_troubleshooting.firewalled_inside(broken.pair, standby)

    broken.stand_in(test_troubleshooting, "vrrp_filtered", inside)


def virtual_mac_allowed(broken: Broken) -> None:
    """Let ports accept the virtual MAC as well; what they refuse is a frame of nobody's MAC.

    Without such a frame the filter would hit nothing, and nothing would be known of it.
    """
    genuine, standby = test_troubleshooting.macs_filtered, broken.standby
    interface = broken.lab.interface(standby, 0)
    send = (
        "import socket; nic = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); "
        f"nic.bind(('{interface}', 0)); nic.send(bytes.fromhex('{_NOBODYS_FRAME}') + bytes(46))"
    )

    @contextmanager
    def lenient(pair: Pair) -> Iterator[Callable[[], int]]:
        with genuine(pair, _VIRTUAL_MAC) as refused:
            pair.machine(standby).run(f'python3 -c "{send}"')
            yield refused

    broken.stand_in(test_troubleshooting, "macs_filtered", lenient)


def another_while_filtered(name: str) -> Callable[[Broken], None]:
    """Start another ucarp on the standby while the network filters: it stays a master."""

    def apply(broken: Broken) -> None:
        standby = broken.standby
        broken.after(
            FilterBegan, lambda: second_ucarp(broken, standby), lambda one: one.filter == name
        )

    return apply


MUTANTS = (
    Mutant(
        "FO-24", POWER_OFF, "secondary", "a dead ratio of 10, and 3 is configured",
        ("the guide's few seconds",), ten_silent, ("FO-25",),
    ),
    Mutant(
        "FO-25", POWER_OFF, "secondary", "OpenVPN starts 15 s late",
        ("tcp 443 answering on the virtual IP", "budget 0.00 to 10.00 s"), slow_services,
    ),
    Mutant(
        "FO-26", POWER_OFF, "wire", "gratuitous ARP is dropped", ("no gratuitous ARP of",),
        no_gratuitous_arp, ("FO-25",),  # clients do not move
    ),
    Mutant(
        "FO-27", "test_takeover.py::test_a_clean_stop_hands_over_and_drops_the_virtual_ip",
        "primary", "its stop leaves the virtual IP", ("still holds the virtual IP",),
        virtual_ip_stays,
    ),
    Mutant(
        "FO-28", "test_returning.py::test_an_active_node_that_comes_back_stays_standby",
        "primary", "it preempts, and the secondary advertises more seldom", ("on its return",),
        preempts_when_it_boots,
    ),
    Mutant(
        "FO-29", "test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing",
        "primary", "it preempts, and the secondary advertises more seldom",
        ("primary sent", "in the reboot loop"), preempts_when_it_boots,
    ),
    Mutant(
        "FO-29", "test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing",
        "secondary", "its heartbeat pauses for 2.5 s in the loop",
        ("secondary", "was silent for"), heartbeat_pauses_in_the_loop, more="pause",
    ),
    Mutant(
        "FO-30", "test_returning.py::test_restarting_the_active_secondary_gives_the_role_back",
        "primary", "its service is stopped", ("primary did not take over in",),
        primary_is_stopped,
    ),
    Mutant(
        "FO-30", "test_returning.py::test_restarting_the_active_secondary_gives_the_role_back",
        "primary", "a dead ratio of 10, and 3 is configured",
        ("last advertisement to the peer's first took",),
        primary_waits, more="deadratio",
    ),
    Mutant(
        "FO-31", POWER_OFF, "secondary", "its failover log is lost", ("MASTER line is in",),
        logs_nowhere,
    ),
    Mutant(
        "FO-41", f"{_SPLITS}test_tcpdump_on_a_stopped_secondary_sees_the_heartbeat", "wire",
        "the heartbeat is filtered", ("are needed",), nothing_is_heard, ("FO-21",),
    ),
    Mutant(
        "FO-42", f"{_SPLITS}test_a_filtered_heartbeat_splits_the_pair_and_healing_leaves_one",
        "secondary", "its own firewall filters, not the network",
        ("vrrp: not two masters at once", "to its end"),
        filtered_in_a_guest_only,
    ),
    Mutant(
        "FO-43", f"{_SPLITS}test_a_filtered_heartbeat_splits_the_pair_and_healing_leaves_one",
        "secondary", "it has another password from the filter on", ("2 masters",),
        another_while_filtered("vrrp"),
    ),
    Mutant(
        "FO-44",
        f"{_SPLITS}test_a_filter_of_source_macs_breaks_the_pair_until_spoofing_is_allowed",
        "wire", "the filter allows the virtual MAC",
        ("source-mac: not two masters at once", "to its end"),
        virtual_mac_allowed,
    ),
    Mutant(
        "FO-44",
        f"{_SPLITS}test_a_filter_of_source_macs_breaks_the_pair_until_spoofing_is_allowed",
        "secondary", "it has another password from the filter on", ("2 masters",),
        another_while_filtered("source-mac"), ("FO-43",), more="password",
    ),
    Mutant(
        "FO-47", "test_keepalived.py::test_keepalived_keeps_what_the_guide_promises",
        "primary", "`state MASTER` from its boot on", ("primary sent", "on its return"),
        state_master,
    ),
)  # fmt: skip
