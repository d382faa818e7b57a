"""The lab's own guest agent: a small program in each guest of a checkpoint, on a serial channel."""

from __future__ import annotations

import inspect

from lab.agent import program
from lab.agent.conversation import ANSWERS_S, Agent, read_answer

#: What a guest calls the serial port that its agent serves.
CHANNEL = "org.vpnproof.agent"
#: Shapes every guest of a checkpoint.
SOURCE = inspect.getsource(program)
START = (
    "PATH=$PATH:/usr/libexec; exec $(command -v python3 || echo platform-python) "
    f"- /dev/virtio-ports/{CHANNEL}"
)
"""Starts the agent in a guest when it is typed there, with `SOURCE` on standard input."""

__all__ = ["ANSWERS_S", "CHANNEL", "SOURCE", "START", "Agent", "read_answer"]
