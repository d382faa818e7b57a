"""What a host lacks beside the checkout: brought there by the checkout's own `lab/setup`.

Packages of the system are a matter of its owner: they are installed with `consent`, and named
without. What lies in our own directory (`.venv`) needs none. The packages of Python are taken over
from an earlier checkout, if there is one: `lab/setup` brings them up to date.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lab.errors import HostsError, LabError
from lab.hosts.checkout import Checkout
from lab.hosts.connection import Connection, Said, last_line

_SETS_UP_WITHIN_S = 1800.0
_ERROR = "setup: error: "
_READ = "find {directory} -xdev -type f -atime +5 -exec head -qc1 {{}} + >/dev/null"
"""What nobody reads for a month, the system clears away from /var/tmp, a file here and there. Read,
not touched: checkpoints are known again by when their files were changed."""
_SEED = """cd {here} && rm -rf .unfinished-venv || exit
[ -e .venv ] || for other in $(ls -dt ../*/.venv 2>/dev/null); do
cp -a --reflink=auto "$other" .unfinished-venv && mv .unfinished-venv .venv; break; done"""


def consented(
    connection: Connection, checkout: Checkout, options: Sequence[str] = (), *, consent: bool
) -> None:
    """Ask which packages of the system a host lacks; HostsError names them without `consent`."""
    name, here = connection.host.name, shlex.quote(str(checkout.on(connection)))
    setup = shlex.join(["lab/setup", *options])
    try:
        missing = connection.need(f"cd {here} && {setup} --missing").decode().split()
    except LabError as error:
        raise _cannot_be_set_up(name, error) from error
    if missing and not consent:
        raise HostsError(
            f"{name}: lacks {' '.join(missing)}: run `cd {here} && {setup}` there, or give "
            "--set-up-hosts"
        )


def make_ready(connection: Connection, checkout: Checkout, options: Sequence[str] = ()) -> None:
    """Let `lab/setup` do on a host what has to be done; HostsError in one line when it cannot."""
    here = shlex.quote(str(checkout.on(connection)))
    setup = shlex.join(["lab/setup", *options])
    try:
        directory = shlex.quote(str(connection.host.directory))
        connection.run(_READ.format(directory=directory), within_s=_SETS_UP_WITHIN_S)
        connection.need(_SEED.format(here=here), within_s=_SETS_UP_WITHIN_S)
        said = connection.run(f"cd {here} && {setup}", within_s=_SETS_UP_WITHIN_S)
        if said.status:
            raise LabError(_why(said))
    except LabError as error:
        raise _cannot_be_set_up(connection.host.name, error) from error


def _cannot_be_set_up(name: str, error: LabError) -> HostsError:
    return HostsError(f"{name}: cannot be set up: {error.message.removeprefix(f'{name}: ')}")


def _why(said: Said) -> str:
    """Return why `lab/setup` failed: its error, and what the program said that it is about."""
    lines = said.err.splitlines()
    at = next((n for n, line in enumerate(lines) if line.startswith(_ERROR)), None)
    if at is None:
        return last_line(said.err) or f"status {said.status}"
    above = last_line("\n".join(lines[:at]))
    return last_line(lines[at]) + (f" ({above})" if above else "")
