"""What a lab's directory says of itself, so that another process can find its way around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.clock import ClockOffset
from lab.errors import LabError
from lab.paths import LAB_FILE
from lab.topology import Topology


class MachineState(BaseModel):
    """One machine: its SSH port on 127.0.0.1, and its public host key."""

    model_config = ConfigDict(frozen=True)

    ssh_port: int
    host_key: str


class LabState(BaseModel):
    """The content of a lab's `lab.json`."""

    model_config = ConfigDict(frozen=True)

    topology: Topology
    image: str
    accelerator: str
    uri: str | None
    """A libvirt given by --libvirt-uri; None for the lab's own."""
    machines: dict[str, MachineState]
    clock: ClockOffset | None = None
    """The lab's clock against this host's, true of every machine; None until it was measured."""

    def write(self, directory: Path) -> None:
        """Write `lab.json` whole."""
        fresh = directory / f"{LAB_FILE}.new"
        fresh.write_text(self.model_dump_json(indent=2))
        fresh.replace(directory / LAB_FILE)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read `lab.json`; LabError when there is none or it is not one of ours."""
        path = directory / LAB_FILE
        try:
            return cls.model_validate(json.loads(path.read_text()))
        except (OSError, ValueError, ValidationError) as error:
            raise LabError(
                f"{path} cannot be read: {error}",
                hint="`python -m lab gc` removes labs that were left half-made",
            ) from error
