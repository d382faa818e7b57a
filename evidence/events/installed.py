"""What stands on machines of a deployment: certificates, keys, software; and where secrets do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from evidence.event import Count, Event, Name, Value

Place = Literal["logs", "command lines", "files that everybody may read", "the evidence"]
"""Where secrets are looked for."""


class Credential(Value):
    """A file with a certificate or a key of the authority of controller and nodes.

    of: whose it is. mode: as `stat -c %a` prints it. text: the certificate; of a key, its first
    line.
    """

    of: Literal["authority", "client", "server"]
    what: Literal["certificate", "key"]
    path: Name
    mode: Annotated[str, Field(pattern="^[0-7]{1,4}$")]
    owner: Name
    group: Name
    text: str


class CredentialsShown(Event):
    """Certificates and keys on the machine `source`; what is not there is not listed (MN-09)."""

    kind: Literal["credentials.shown"] = "credentials.shown"
    files: tuple[Credential, ...]


class NodeConfigured(Event):
    """The profileList of the node `source`, read through PHP; None when it has none (MN-12)."""

    kind: Literal["node.configured"] = "node.configured"
    profile_list: JsonValue


class TlsCryptKey(Value):
    """A TLS Crypt key in a file, by the SHA-256 of its lines; "" when there is none in it."""

    path: Name
    digest: str


class TlsCryptKeysShown(Event):
    """The TLS Crypt keys that are served on the machine `source` (MN-20)."""

    kind: Literal["tls-crypt.shown"] = "tls-crypt.shown"
    keys: tuple[TlsCryptKey, ...]


class InstallationShown(Event):
    """What is installed, and runs, on the machine `source` (MN-31).

    asked: commands, and files by their whole path; present: those of them that are there. units:
    of OpenVPN, that are loaded; processes: of OpenVPN. files: what OpenVPN's server would read.
    web: what `systemctl is-active` says of the web server. config: the SHA-256 of the API's
    configuration, "" when there is none.
    """

    kind: Literal["installation.shown"] = "installation.shown"
    asked: tuple[Name, ...] = Field(min_length=1)
    present: tuple[Name, ...]
    units: tuple[Name, ...]
    processes: Count
    files: tuple[Name, ...]
    web: Name
    config: str


class SecretFound(Value):
    """A secret, by what it is, and where it stands: a file, or a command's name."""

    secret: Name
    at: Name


class SecretsSearched(Event):
    """One kind of place of the machine `source` was searched for all secrets of the lab (MN-32).

    secrets: what was looked for, by what it is. searched: how many files, or command lines. unread:
    what could not be searched.
    """

    kind: Literal["secrets.searched"] = "secrets.searched"
    where: Place
    secrets: tuple[Name, ...]
    searched: Count
    found: tuple[SecretFound, ...]
    unread: tuple[Name, ...]
