"""The ``vpn-ca`` command: flags, exit codes and messages of version 2.0.0.

Success is silent. A refusal is one line on stderr after a time stamp, exit code 1; a flag that
is not known is exit code 2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from vpn_lib_common.flags import Flag, FlagError, HelpWanted, listing, parse

_FLAGS = (
    Flag("ca-dir", "the directory of the CA", default="."),
    Flag("client", "issue a client certificate for this common name"),
    Flag("init", "initialise the CA", boolean=True),
    Flag("not-after", 'last moment of the certificate: an RFC 3339 time, or "CA"'),
    Flag("server", "issue a server certificate for this common name"),
)
_COMMON_NAME = re.compile(r"[a-zA-Z0-9.-]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (by default the process'); return its exit code."""
    try:
        values = parse(_FLAGS, sys.argv[1:] if arguments is None else arguments)
    except HelpWanted:
        sys.stderr.write(listing(_FLAGS))
        return 0
    except FlagError as error:
        sys.stderr.write(f"{error}\n{listing(_FLAGS)}")
        return 2
    if not (values["init"] or values["server"] or values["client"]):
        sys.stderr.write(listing(_FLAGS))
        return 1
    return _run(values)


def _run(values: Mapping[str, str]) -> int:
    # The library takes most of the command's starting time; usage errors answer without it.
    from vpn_ca import authority

    directory = Path(values["ca-dir"])
    try:
        if values["init"]:
            authority.initialise(directory)
            return 0
        issuer = authority.load(directory)  # first of all: without a CA nothing else is said
        name = values["server"] or values["client"]
        if _COMMON_NAME.fullmatch(name) is None:
            raise authority.AuthorityError("invalid 'commonName' specified")
        not_after = _not_after(values["not-after"], issuer.not_after)
        authority.issue(directory, issuer, name, server=bool(values["server"]), not_after=not_after)
    except (authority.AuthorityError, ValueError) as error:
        sys.stderr.write(f"{datetime.now().astimezone():%Y/%m/%d %H:%M:%S} {error}\n")
        return 1
    return 0


def _not_after(text: str, end_of_the_ca: datetime) -> datetime | None:
    from vpn_ca import authority
    from vpn_ca.moment import parse_moment

    if not text:
        return None
    if text == "CA":
        return end_of_the_ca
    try:
        return parse_moment(text)
    except ValueError as error:
        raise authority.AuthorityError(f"ERROR: unable to parse -not-after: {error}") from None
