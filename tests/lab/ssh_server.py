"""An SSH server in the test's own process: genuine SSH on 127.0.0.1, commands by `sh -c`."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
from pathlib import Path

import paramiko
from paramiko.common import cMSG_CHANNEL_SUCCESS

from lab.keys import KeyPair
from lab.ssh import Access


class _Transport(paramiko.Transport):
    """A connection that knows of each channel whether its request was answered."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self._answered: dict[int, threading.Event] = {}

    def answered(self, channel: int) -> threading.Event:
        """Return what is set once a client's channel was told that its request is taken."""
        return self._answered.setdefault(channel, threading.Event())

    def sessions(self) -> int:
        """Return how many channels are open."""
        return len(self._channels)

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)
        said = data.asbytes()
        if said[:1] == cMSG_CHANNEL_SUCCESS:
            self.answered(int.from_bytes(said[1:5], "big")).set()


class SshServer:
    """Serves SSH until `close`; `drop` cuts the connections there are, as a reboot does."""

    def __init__(self, directory: Path) -> None:
        self.client_key = KeyPair.generate()
        self.host_key = KeyPair.generate()
        self.client_key.write_private(directory / "client")
        self.host_key.write_private(directory / "host")
        self._host_key = paramiko.Ed25519Key(filename=str(directory / "host"))
        self._authorized = paramiko.Ed25519Key(filename=str(directory / "client"))
        self._transports: list[paramiko.Transport] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wake, self._waker = os.pipe()
        self.connections = 0
        self.hangs_up = 0
        """How many connections are ended before a login."""
        self.cut_after: int | None = None
        """Bytes of a command's input after which the connection is cut."""
        self.listening = threading.Event()
        """Cleared, the server takes no commands, as a paused machine."""
        self.listening.set()
        self.talking = threading.Event()
        """Cleared, all that commands said waits, and no question is answered: sshd stands still."""
        self.talking.set()
        self.most_at_once = 0
        self.led_to: list[tuple[str, int]] = []
        """Where its connections were led to, as a jump host's."""
        self.user = "root"
        """Whom it lets in."""
        self.environment: dict[str, str] = {}
        """What its commands find set, besides what this process has."""
        self.greeting = ""
        """What its shell runs before each command, as what is read at login."""
        self.most_sessions = 1000
        """How many of them one connection may have at once (MaxSessions)."""
        self._running = 0
        self._counting = threading.Condition()
        self.access = Access(
            self._listener.getsockname()[1], directory / "client", self.host_key.public
        )
        self._start(self._serve)

    def drop(self) -> None:
        """Cut every connection."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()

    def wait_for_commands(self) -> None:
        """Wait until every command has ended."""
        with self._counting:
            assert self._counting.wait_for(lambda: self._running == 0, 10)

    def close(self) -> None:
        """End the server and everything it runs."""
        self.listening.set()
        self.talking.set()
        os.write(self._waker, b"x")
        self.drop()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        os.close(self._wake)
        os.close(self._waker)

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)  # `close` joins what has started

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._wake], [], [])
            if self._wake in ready:
                return
            connection, _ = self._listener.accept()
            self.connections += 1
            if self.hangs_up >= self.connections:
                connection.close()
                continue
            transport = _Transport(connection)
            transport.add_server_key(self._host_key)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Session(self, self._authorized, transport))

    def run(self, channel: paramiko.Channel, command: str) -> None:
        """Run one command for a channel, in threads of its own."""
        self._start(self._counted, channel, command)

    def lead_to(self, transport: paramiko.Transport, destination: tuple[str, int]) -> None:
        """Carry what comes by the next channel of a connection there, and back: a jump host."""
        self.led_to.append(destination)
        self._start(self._lead, transport, destination)

    def _lead(self, transport: paramiko.Transport, destination: tuple[str, int]) -> None:
        channel = transport.accept(10)
        assert channel is not None
        with (
            socket.create_connection(destination) as there,
            contextlib.suppress(OSError, EOFError),
        ):
            while True:
                ready, _, _ = select.select([channel, there], [], [], 0.1)
                for one, other in ((channel, there), (there, channel)):
                    if one in ready:
                        if not (came := one.recv(65536)):
                            return
                        other.sendall(came)
                if not transport.is_active():
                    return

    def _counted(self, channel: paramiko.Channel, command: str) -> None:
        with self._counting:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            self._run(channel, command)
        finally:
            with self._counting:
                self._running -= 1
                self._counting.notify_all()

    def _run(self, channel: paramiko.Channel, command: str) -> None:
        with (
            subprocess.Popen(
                ["sh", "-c", self.greeting + command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"SSH_CONNECTION": _ends_of(channel)} | self.environment,
            ) as process,
            contextlib.suppress(OSError, EOFError),
        ):
            assert process.stdin
            assert process.stdout
            assert process.stderr
            copies = [
                threading.Thread(
                    target=self._copy, args=(process.stdout, channel.sendall), daemon=True
                ),
                threading.Thread(
                    target=self._copy, args=(process.stderr, channel.sendall_stderr), daemon=True
                ),
                threading.Thread(target=self._feed, args=(channel, process), daemon=True),
            ]
            for copy in copies:
                copy.start()
            status = process.wait()
            # As OpenSSH does: the status as soon as it is known, end of file when all was said.
            if status >= 0:
                channel.send_exit_status(status)
            for copy in copies[:2]:
                copy.join()
            # paramiko answers the request on another thread: not to be overtaken by the end.
            assert isinstance(channel.transport, _Transport)
            channel.transport.answered(channel.remote_chanid).wait(10)
            channel.shutdown_write()
            channel.close()
            copies[2].join()

    def _copy(self, source: object, say: object) -> None:
        with contextlib.suppress(OSError, EOFError), source:  # type: ignore[attr-defined]
            while block := source.read1(65536):  # type: ignore[attr-defined]
                self.talking.wait()
                say(block)  # type: ignore[operator]

    def _feed(self, channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        fed = 0
        with contextlib.suppress(OSError):
            while block := channel.recv(65536):
                fed += len(block)
                process.stdin.write(block)
                process.stdin.flush()
                if self.cut_after is not None and fed >= self.cut_after:
                    self.drop()
        with contextlib.suppress(OSError):
            process.stdin.close()


def _ends_of(channel: paramiko.Channel) -> str:
    """Say where a connection comes from and goes to, as sshd tells its commands."""
    with contextlib.suppress(OSError):  # it was cut meanwhile
        connection = channel.get_transport().sock
        ends = (*connection.getpeername()[:2], *connection.getsockname()[:2])
        return " ".join(map(str, ends))
    return ""


class _Session(paramiko.ServerInterface):
    def __init__(
        self, server: SshServer, authorized: paramiko.PKey, transport: paramiko.Transport
    ) -> None:
        self._server = server
        self._transport = transport
        self._authorized = authorized

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._server.user and key == self._authorized
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        if self._transport.sessions() >= self._server.most_sessions:
            return paramiko.OPEN_FAILED_RESOURCE_SHORTAGE
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, _chanid: int, _origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._server.lead_to(self._transport, destination)
        return paramiko.OPEN_SUCCEEDED

    def check_global_request(self, _kind: str, _said: paramiko.Message) -> bool:
        self._server.talking.wait()
        return False

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.listening.wait()
        self._server.run(channel, command.decode())
        return True
