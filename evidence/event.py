"""What was done or seen: the base of every kind of event.

A kind is a frozen class in `evidence.events`, written and read by that same class. What no class
declares can neither be recorded nor read; a field that is missing, of another type, or empty where
an empty reading means that nothing was read, is refused when the event is made.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from evidence.moment import Moment

FILE_NAME = "history.jsonl"

Name = Annotated[str, Field(min_length=1)]
"""Of a machine, a node, a client, a file: never empty."""
Mac = Annotated[str, Field(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$"), AfterValidator(str.lower)]
"""A MAC address, in lower case with colons."""
Ipv4 = Annotated[str, AfterValidator(lambda text: str(ipaddress.IPv4Address(text)))]
"""An IPv4 address, without a prefix."""
Port = Annotated[int, Field(ge=1, le=65535)]
Vhid = Annotated[int, Field(ge=1, le=255)]
NS_BOUND = 2**63 - 1
"""The last moment that there is, in the year 2262; no count of anything comes near it."""
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=NS_BOUND)]
Nanoseconds = Annotated[int, Field(ge=-NS_BOUND, le=NS_BOUND)]
"""A difference of two moments."""
Digest = Annotated[str, Field(min_length=1)]
"""A hash of what was read, or "absent" where there was nothing to make one of."""


class Value(BaseModel):
    """A part of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Event(Value):
    """Something that was done or seen.

    source: the machine (or part of the harness) that it was seen on. at_ns: wall time of the
    wire's clock, ns since 1970; by default the present. uncertainty_ns: how far off that may be:
    a guest's clock is measured, not trusted. scenario: on whose behalf; set when it is recorded.
    """

    KIND: ClassVar[str] = ""

    source: Name
    at_ns: Count = Field(default_factory=time.time_ns)
    uncertainty_ns: Count = 0
    scenario: str = ""
    _line: int = PrivateAttr(default=0)
    _part: str = PrivateAttr(default="")

    @property
    def line(self) -> int:
        """Where it stands in the history, from 1; 0 while it is not recorded."""
        return self._line

    @property
    def place(self) -> str:
        """Where it stands, for a verdict's evidence: the file as the run names it, and the line."""
        return f"{self._part}{FILE_NAME}:{self._line}"

    @property
    def moment(self) -> Moment:
        """When it was."""
        return Moment(self.at_ns, self.uncertainty_ns)

    def recorded(self, line: int, scenario: str, part: str = "") -> Event:
        """Return it as it stands in a line of the history, of a part (`evidence.parts`)."""
        event = self.model_copy(update={"scenario": scenario})
        event._line, event._part = line, part
        return event
