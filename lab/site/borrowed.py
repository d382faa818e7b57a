"""A virtual host on a site's network, which sends and hears by the NIC of a machine that lends it.

The program that does so on the machine is `relay`; it ends with the connection. When it ends before
the NIC is given back, that is told as trouble: a service that nobody can ask has not fallen silent.
"""

from __future__ import annotations

import base64
import inspect
import shlex
import threading
from collections.abc import Callable
from contextlib import suppress

import paramiko

from lab.errors import MachineError, WireError
from lab.site import relay
from lab.site.access import SiteAccess
from lab.site.listener import Trouble
from lab.site.offsets import Offsets
from lab.timing import beside
from lab.wire.frame import Frame

_PATIENCE_S = 20.0
_LONGEST_LINE = 200_000


class Borrowed:
    """A machine's NIC, lent to a virtual host at `port` from `open` until `close`.

    tell: told of it when the machine lends its NIC no more before that.
    """

    def __init__(
        self,
        machine: str,
        access: SiteAccess,
        interface: str,
        port: str,
        segment: str,
        offsets: Offsets,
        tell: Callable[[Trouble], None],
    ) -> None:
        self.port = port
        self.segment = segment
        self.heard: Callable[[Frame], None] = lambda _frame: None
        self._machine = machine
        self._access = access
        self._interface = interface
        self._offsets = offsets
        self._tell = tell
        self._given_back = False
        self._client: paramiko.SSHClient | None = None
        self._channel: paramiko.Channel | None = None
        self._sending = threading.Lock()

    def open(self) -> None:
        """Return when the machine has lent its NIC; WireError when it does not."""
        self._channel = self._opened()

    def send(self, raw: bytes) -> None:
        """Send a frame as it is; WireError when the machine does not take it."""
        if self._channel is None:
            raise WireError(f"{self._machine} has not lent its NIC")
        try:
            with self._sending:
                self._channel.sendall(base64.b64encode(raw) + b"\n")
        except OSError as error:
            self._lent_no_more()
            raise WireError(f"{self._machine} sends nothing any more: {error}") from error

    def close(self) -> None:
        """Give the NIC back."""
        self._given_back = True
        if self._client is not None:
            self._client.close()

    def _opened(self) -> paramiko.Channel:
        # The program comes by its argument: standard input is for frames.
        program = shlex.join(["python3", "-c", inspect.getsource(relay), self._interface])
        try:
            self._client = self._access.connect(_PATIENCE_S)
            transport = self._client.get_transport()
            if transport is None:
                raise EOFError("the connection closed at once")
            channel = transport.open_session(timeout=_PATIENCE_S)
            channel.exec_command(self._access.as_root(program))
            channel.settimeout(_PATIENCE_S)
            said = self._line(channel, bytearray())
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise WireError(f"{self._machine} does not lend its NIC: {error!r}") from error
        if said != b"ready":
            why = channel.recv_stderr(2000).decode(errors="replace").strip().splitlines()
            raise WireError(f"{self._machine} does not lend its NIC: {why[-1] if why else said!r}")
        channel.settimeout(None)
        threading.Thread(target=self._listen, args=(channel,), daemon=True).start()
        return channel

    def _listen(self, channel: paramiko.Channel) -> None:
        try:
            with beside(), suppress(OSError, EOFError, MachineError):
                self._pass_on(channel)
        finally:
            self._lent_no_more()

    def _pass_on(self, channel: paramiko.Channel) -> None:
        begun = bytearray()
        while line := self._line(channel, begun):
            stamp, _, raw = line.partition(b" ")
            with suppress(ValueError, LookupError):
                at_ns = int(stamp)
                offset = self._offsets.at(at_ns)
                self.heard(
                    Frame(
                        offset.on_host(at_ns),
                        self.port,
                        self.segment,
                        base64.b64decode(raw),
                        "forwarded",
                    )
                )

    def _lent_no_more(self) -> None:
        if not self._given_back:
            what = "what was asked from there since then has no answer"
            self._tell(Trouble(f"{self._machine} lends its NIC no more: {what}"))

    def _line(self, channel: paramiko.Channel, begun: bytearray) -> bytes:
        """Return the next line; empty at the end."""
        while b"\n" not in begun:
            if len(begun) > _LONGEST_LINE:
                raise MachineError(f"{self._machine}: what lends its NIC says a line without end")
            if not (more := channel.recv(65536)):
                return b""
            begun += more
        line, _, rest = bytes(begun).partition(b"\n")
        begun[:] = rest
        return line
