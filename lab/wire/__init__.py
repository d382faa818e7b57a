"""The wire: a user-space Ethernet switch that every NIC of a lab plugs into.

It forwards, time-stamps and records every frame on one clock, it is where faults of the network are
provoked, and it ends the lab with its owner. Steered through `Wire`; the rest are its values.
"""

from lab.guardian.belonging import processes_of
from lab.guardian.ending import end_processes_of
from lab.wire.client import SEED, Wire
from lab.wire.frame import Frame
from lab.wire.port import Port, Sockets
from lab.wire.rules import Action, Corrupt, Delay, Drop, Duplicate, Jitter, Match, Reorder, Rule
from lab.wire.stream import FrameStream

__all__ = [
    "SEED",
    "Action",
    "Corrupt",
    "Delay",
    "Drop",
    "Duplicate",
    "Frame",
    "FrameStream",
    "Jitter",
    "Match",
    "Port",
    "Reorder",
    "Rule",
    "Sockets",
    "Wire",
    "end_processes_of",
    "processes_of",
]
