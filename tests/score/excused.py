"""What is no violation of a requirement, because it does not speak of it, and why.

Each excuse names requirements, rules and what of them; the first part of a case's `what` that an
excuse names excuses it. Keep it short: everything here can go wrong without being noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.score.case import Case


@dataclass(frozen=True)
class Excuse:
    """Cases of a rule that may PASS: rules and words are beginnings or parts of theirs."""

    requirements: str
    rule: str
    words: tuple[str, ...]
    why: str

    def covers(self, case: Case) -> bool:
        """Tell whether it excuses a case."""
        return (
            case.requirement in self.requirements.split()
            and case.rule.startswith(self.rule)
            and any(word in case.what for word in self.words)
        )


ANY = ("",)
VALIDATE = "FO-01 FO-06 FO-07 FO-08 FO-09 FO-45"
AFTER = "FO-33 FO-34 FO-35 FO-36 FO-37 FO-38 FO-40 FO-46"
MAINTENANCE = "MN-14 MN-24 MN-25 MN-26 MN-27 MN-30"
TUNNELS = "MN-16 MN-17 MN-18 MN-19 MN-32"
BY_ARP_OR_PACKETS = ("ARP", "serves")

EXCUSES = (
    # What an event says besides.
    Excuse(VALIDATE, "another machine", ("validate.shown",), "either node may be asked"),
    Excuse("FO-01 FO-06 FO-07", "inverted", ("rows",), "which row turns is judged by FO-08"),
    Excuse("FO-09", "inverted", ("rows",), "that nothing changes is no matter of the rows"),
    Excuse("FO-07", "one left out", ANY, "any one thing that is broken will do"),
    Excuse("FO-08", "one left out", ("key-not-copied",), "that one is FO-06's"),
    Excuse("FO-02", "a number beyond", ("a a: status",), "a refusal may end with any status"),
    Excuse("MN-01", "inverted", ("answers.11.answered",), "the shared name is MN-21's"),
    Excuse(
        "MN-21",
        "inverted",
        tuple(f"answers.{number}.answered" for number in (0, 2, 3, 5, 6, 8, 9)),
        "names of machines are MN-01's",
    ),
    Excuse("FO-05", "another machine", ANY, "the event names origin and target itself"),
    Excuse("FO-05", "a number beyond", ("seconds",), "how long a log-in took matters if it failed"),
    Excuse("FO-35", "a number beyond", ("waited_s",), "and so does how long a client tried"),
    Excuse("FO-35", "inverted", ("refused",), "and whether it was refused"),
    Excuse("FO-32 FO-34", "another machine", ANY, "the event names origin and target itself"),
    Excuse("FO-32 FO-34 FO-46", "a number beyond", ("period_s",), "a longer one allows more"),
    Excuse("FO-46", "another machine", ("write.acknowledged",), "one write less is synced or lost"),
    Excuse("FO-21", "inverted", ("service_stopped",), "a matter of FO-41"),
    Excuse("FO-21", "a number beyond", ("seconds",), "three lines, in however long"),
    Excuse("FO-21", "another machine", ANY, "either node may print it"),
    Excuse("FO-36", "inverted", ("user_name_sent",), "a matter of FO-38"),
    Excuse("FO-38", "inverted", ("password_spent",), "it has no password"),
    Excuse("FO-37", "a number beyond", ("lifetime-over",), "it is over at any age beyond it"),
    Excuse("FO-42 FO-48", "a number beyond", ("preflight.observed",), "one of several probes"),
    Excuse("MN-05", "inverted", ANY, "options that are no numbers and ranges are MN-04's"),
    Excuse("MN-05", "a number beyond", ("profileNumber",), "any number but the other one's"),
    Excuse(
        "MN-01 MN-02 MN-03 MN-06 MN-07 MN-08 MN-09 MN-10 MN-11 MN-12 MN-13 MN-15 MN-16 MN-17 MN-18 "
        f"MN-19 MN-21 MN-22 MN-23 MN-28 MN-29 MN-31 MN-32 {MAINTENANCE}",
        "inverted", ("hideProfile",), "which profiles are hidden is MN-04's",
    ),
    Excuse("MN-12", "", ("controller.config controller: ",), "of profiles their names alone"),
    Excuse(
        "MN-20", "inverted", ("Gateway", "enable", "blockLan", "clientToClient"),
        "what merging does not change is MN-04's",
    ),
    Excuse("MN-20", "a number beyond", ("profileNumber",), "what merging does not change"),
    Excuse("MN-28 MN-29", "another machine", ("guide.text",), "any machine may be given the text"),
    Excuse("MN-11 MN-28 MN-29", "a number beyond", ("began_ns",), "an earlier one sees more"),
    Excuse(
        f"MN-15 MN-21 MN-23 {TUNNELS} {MAINTENANCE}", "a number beyond", ("ping",),
        "one answer will do",
    ),
    Excuse("MN-15 MN-21 MN-23", "another machine", ANY, "whoever asked was a client"),
    Excuse(MAINTENANCE, "another machine", ("tunnel.",), "whoever asked was a client"),
    Excuse(TUNNELS, "another machine", ("tunnel.tried",), "whoever asked was a client"),
    Excuse("MN-26 MN-27", "a number beyond", (": status",), "what a script says is MN-25's"),
    Excuse(
        "MN-15 MN-16 MN-17 MN-18 MN-21 MN-23 MN-32", "left out", ("tunnel.started",),
        "it may begin with the scenario",
    ),
    Excuse("MN-18", "a silent port", ("node-a",), "node-b has the client that is disconnected"),
    Excuse("MN-18", "a port cut off", ("node-a",), "node-b has the client that is disconnected"),
    Excuse("LAB-01", "a number beyond", ("uid",), "without capabilities root is an ordinary user"),
    Excuse("LAB-03", "a number beyond", ("after_s",), "at any moment"),
    # Events that a check asks for and can do without.
    Excuse(
        f"FO-20 FO-24 FO-25 FO-26 FO-27 FO-28 FO-31 FO-47 {AFTER}", "left out", ("fault.watched",),
        "it is watched until the scenario ends then",
    ),
    Excuse(
        "FO-20 FO-24 FO-26 FO-27 FO-28 FO-31 FO-39 FO-49", "left out", ("service.probed",),
        "services are FO-25's",
    ),
    Excuse(
        "FO-02 FO-03 FO-04 FO-05", "left out", ("pair.configured",),
        "the two are known before they are a pair",
    ),
    # Ports.
    Excuse("FO-12 FO-13 FO-14", "a silent port", ("client",), "the probe tells what answered"),
    Excuse("FO-12 FO-13 FO-14", "a port cut off", ("client",), "the probe tells what answered"),
    Excuse("FO-12 FO-14 FO-15", "a silent port", ("secondary",), "a standby need not be up"),
    Excuse("FO-12 FO-14 FO-15", "a port cut off", ("secondary",), "a standby need not be up"),
    Excuse("FO-09 FO-19 FO-22", "a port cut off", ("primary",), "what it sends is judged"),
    Excuse("FO-42 FO-45 FO-48", "a port cut off", ANY, "frames that are dropped make the split"),
    Excuse("FO-43 FO-44", "a port cut off", ("secondary",), "it lost, and is silent"),
    Excuse("FO-32", "a silent port", ANY, "hashes tell what came to the standby"),
    Excuse("FO-32", "a port cut off", ANY, "hashes tell what came to the standby"),
    Excuse(
        f"MN-15 MN-21 MN-23 {TUNNELS} {MAINTENANCE}", "one machine", ("for client",),
        "clients may run anywhere",
    ),
    Excuse("MN-18", "one machine", ("node-b/wire0 for node-a",), "node-a has no part in it"),
    # Who holds the role, and for how long, where something else is promised.
    Excuse(
        f"FO-12 FO-13 FO-14 FO-15 FO-17 FO-18 FO-19 FO-25 FO-26 FO-31 FO-32 FO-39 FO-49 {AFTER}",
        "nobody", ANY, "that the active node goes on advertising is FO-16's and FO-24's",
    ),
    Excuse("FO-09 FO-42 FO-45 FO-48", "nobody", ANY, "long after what was watched"),
    Excuse("FO-32", "no takeover", ANY, "after all that was compared"),
    Excuse(
        f"FO-20 FO-25 FO-28 FO-32 {AFTER}", "a takeover too late", ANY, "how fast it is is FO-24's"
    ),
    Excuse("FO-13 FO-14", "a second holder", ANY, "the nodes' own addresses are asked for"),
    Excuse("FO-18 FO-19", "a second holder", ANY, "each packet is good: two masters are FO-16's"),
    Excuse("FO-17 FO-20", "a second holder", BY_ARP_OR_PACKETS, "of advertisements alone"),
    Excuse("FO-31", "a second holder", ANY, "of what is logged: two masters are FO-24's"),
    Excuse("FO-11", "a second holder", ANY, "of the primary: two masters are FO-16's"),
    Excuse("FO-10", "a second holder", ANY, "of an address that was refused: two are FO-16's"),
    Excuse("FO-10", "a silent port", ("primary",), "addresses are read; the wire shows one more"),
    Excuse("FO-10", "a port cut off", ("primary",), "addresses are read; the wire shows one more"),
    Excuse("FO-10", "nobody", ANY, "addresses are read, whoever advertises"),
    Excuse("FO-22", "a second holder", ("at 4.5 s",), "before the VHID is moved"),
    Excuse("FO-23", "a second holder", BY_ARP_OR_PACKETS, "of virtual MACs and digests"),
    Excuse("FO-09", "a second holder", ("at 49.5 s", *BY_ARP_OR_PACKETS), "of what Validate does"),
    Excuse("FO-42 FO-45", "a second holder", ANY, "after the filter: that it heals is FO-43's"),
    Excuse("FO-48", "a second holder", ANY, "between profiles: roles may still move"),
    Excuse("FO-32", "a second holder", ANY, "of what the standby is sent: two masters are FO-16's"),
    Excuse(AFTER, "a second holder", ANY, "of what the new node runs: two masters are FO-24's"),
)  # fmt: skip


def excuse(case: Case) -> Excuse | None:
    """Return what excuses a case, if anything does."""
    return next((one for one in EXCUSES if one.covers(case)), None)
