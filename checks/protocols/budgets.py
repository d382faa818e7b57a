"""How long a takeover may take, computed from the configuration of the pair.

Every limit here is a formula over configured timers, with its source beside it; nothing is a
fixed number of seconds except what a program itself fixes (pcap's read timeout in ucarp) and
what the guide promises (`GUIDE_*`). Seconds throughout. Budgets never scale with how slow the
machine under test is.
"""

from __future__ import annotations

from dataclasses import dataclass

PCAP_READ_TIMEOUT_S = 1.0
"""ucarp opens pcap with a timeout of 1000 ms: an advertisement is seen up to 1 s late."""
KEEPALIVED_ALLOWANCE_S = 0.2
"""keepalived's timers were seen exact to 5 ms, and takeovers 60 ms late on emulated guests. Half is
for a loaded guest's scheduler, half for a frame that reaches the wire late (`FRAME_LATE_S`)."""
LINK_DOWN_CHECK_S = 1.0
"""ucarp looks at its link once a poll; a master without link was seen to yield in 1.0 s."""

GUIDE_TAKEOVER_S = 5.0
"""FO-24: "if this lasts more than a few seconds, the standby node will take over"."""
GUIDE_SERVICE_S = 10.0
"""FO-25: "very quickly, in the order of 5 to 10 seconds"."""
GUIDE_TUNNEL_UDP_S = 75.0
"""FO-39: "an interruption of about a minute is to be expected"."""
GUIDE_TUNNEL_TCP_S = 15.0
"""FO-39 for TCP, where the new node's reset tells the client at once."""


@dataclass(frozen=True)
class Budget:
    """A span of seconds that a stage must end within, and how it was computed."""

    minimum_s: float
    maximum_s: float
    formula: str
    source: str

    def __str__(self) -> str:
        return f"{self.minimum_s:.2f} to {self.maximum_s:.2f} s ({self.formula}; {self.source})"


@dataclass(frozen=True)
class Ucarp:
    """The timers of one ucarp node. `advskew` is in 1/256 s; `deadratio` a count of periods.

    active_advbase, active_advskew: of the node whose death is noticed; as one's own when None.
    """

    advbase: int
    advskew: int = 0
    deadratio: int = 3
    active_advbase: int | None = None
    active_advskew: int | None = None

    def __post_init__(self) -> None:
        if self.advbase < 1 or not 0 <= self.advskew <= 255 or self.deadratio < 1:
            raise ValueError(
                "ucarp needs advbase >= 1, advskew 0 to 255 and deadratio >= 1; got "
                f"{self.advbase}, {self.advskew}, {self.deadratio}"
            )

    @property
    def period_s(self) -> float:
        """Between two advertisements of this node."""
        return self.advbase + self.advskew / 256

    @property
    def active_period_s(self) -> float:
        """Between two advertisements of the node that is watched."""
        base = self.advbase if self.active_advbase is None else self.active_advbase
        skew = self.advskew if self.active_advskew is None else self.active_advskew
        return base + skew / 256

    @property
    def dead_s(self) -> float:
        """Silence after which a standby acts; the skew is not multiplied."""
        return self.deadratio * self.advbase + self.advskew / 256

    @property
    def announced_within_s(self) -> float:
        """From the first advertisement to its gratuitous ARP, which comes before it (FO-26)."""
        return 0.1

    def last_advert_to_takeover(self) -> Budget:
        """From the old node's last advertisement to the new one's first."""
        return Budget(
            self.dead_s,
            self.dead_s + PCAP_READ_TIMEOUT_S + self.period_s,
            "R*b + s/256 .. R*b + s/256 + pcap timeout + one poll step",
            "ucarp 1.5.2 source: dead time, pcap_open_live, poll loop",
        )

    def fault_to_takeover(self) -> Budget:
        """From the fault to the new node's first advertisement.

        A clean stop is no faster than a crash: ucarp says no goodbye.
        """
        silence = self.last_advert_to_takeover()
        return Budget(
            max(0.0, silence.minimum_s - self.active_period_s),
            silence.maximum_s,
            "(R*b + s/256) - one period of the active .. R*b + s/256 + pcap timeout + poll step",
            "ucarp 1.5.2 source; crash measured at 2.07 to 3.22 s with the defaults",
        )

    def clean_stop_to_takeover(self) -> Budget:
        """As a crash: a clean stop sends nothing on the wire."""
        return self.fault_to_takeover()

    def restart_to_takeover(self) -> Budget:
        """From the last advertisement to the peer's first: a restart says no goodbye."""
        return self.last_advert_to_takeover()

    def healing(self) -> Budget:
        """From the end of a split to one master: hear the other, and yield at the next poll."""
        return Budget(
            0.0,
            self.active_period_s + PCAP_READ_TIMEOUT_S + self.period_s,
            "period of the other + pcap timeout + one poll step",
            "ucarp 1.5.2 source; measured at 0.35 to 1.51 s with the defaults",
        )


@dataclass(frozen=True)
class Keepalived:
    """The timers of one keepalived instance: `advert_int` in seconds, its own priority."""

    advert_int: float
    priority: int
    version: int = 2

    def __post_init__(self) -> None:
        if self.version not in (2, 3) or not 1 <= self.priority <= 255 or self.advert_int <= 0:
            raise ValueError(
                "keepalived needs version 2 or 3, priority 1 to 255 and advert_int > 0; got "
                f"{self.version}, {self.priority}, {self.advert_int}"
            )

    @property
    def period_s(self) -> float:
        """Between two advertisements of this node."""
        return self.advert_int

    @property
    def active_period_s(self) -> float:
        """As one's own: v3 learns the master's interval, v2 demands equal ones."""
        return self.advert_int

    @property
    def skew_s(self) -> float:
        """(256 - priority)/256 s, in v3 times the interval."""
        unit = 1.0 if self.version == 2 else self.advert_int
        return (256 - self.priority) * unit / 256

    @property
    def dead_s(self) -> float:
        """The master-down interval: 3 x interval + skew."""
        return 3 * self.advert_int + self.skew_s

    @property
    def announced_within_s(self) -> float:
        """From the first advertisement to its gratuitous ARP.

        It advertises, adds the address, and announces it then: seen 53 to 143 ms later on emulated
        guests. FO-26's 0.1 s is of ucarp, which does it the other way round.
        """
        return 0.3

    def last_advert_to_takeover(self) -> Budget:
        """From the old node's last advertisement to the new one's first."""
        return Budget(
            self.dead_s,
            self.dead_s + KEEPALIVED_ALLOWANCE_S,
            "3*A + skew",
            self._source,
        )

    def fault_to_takeover(self) -> Budget:
        """From the fault to the new node's first advertisement."""
        return Budget(
            max(0.0, self.dead_s - self.advert_int),
            self.dead_s + KEEPALIVED_ALLOWANCE_S,
            "3*A + skew - phase",
            self._source,
        )

    def clean_stop_to_takeover(self) -> Budget:
        """Shorter than after a crash: priority 0 says goodbye, the peer waits its skew only."""
        return Budget(
            0.0,
            self.skew_s + KEEPALIVED_ALLOWANCE_S,
            "skew after priority 0",
            self._source,
        )

    def restart_to_takeover(self) -> Budget:
        """From the goodbye to the peer's first advertisement: a restart stops it cleanly."""
        return self.clean_stop_to_takeover()

    def healing(self) -> Budget:
        """From the end of a split to one master: the lower priority yields when it hears."""
        return Budget(
            0.0,
            self.advert_int + KEEPALIVED_ALLOWANCE_S,
            "one interval of the other",
            self._source,
        )

    @property
    def _source(self) -> str:
        return "RFC 3768, 6.1" if self.version == 2 else "RFC 5798 and 9568, 6.1"


Engine = Ucarp | Keepalived


def tunnel_after_fault(
    service: Budget, *, ping_restart_s: float, restart_pause_s: float, handshake_s: float
) -> Budget:
    """From the fault to the client's tunnel over UDP carrying traffic again.

    The client notices by itself after `ping_restart_s` of silence, pauses, and connects; should
    the service not be there yet, it connects as soon as it is, one pause and handshake later.
    """
    noticed = max(ping_restart_s, service.maximum_s)
    return Budget(
        min(ping_restart_s, service.minimum_s),
        noticed + restart_pause_s + handshake_s,
        "max(ping-restart, service on the virtual IP) + restart pause + handshake",
        "OpenVPN 2.6: --ping-restart counts from the last packet received",
    )
