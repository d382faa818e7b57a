"""Users of the pair, and what each is given: a profile, and passwords that work once.

A one-time password makes a session token visible: a client that comes back after a takeover with
its password again is refused, one that comes back with its token is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from provision.action import Action, Command
from provision.failover.access_server import SACLI
from provision.failover.primary import SECTION
from provision.failover.site import Site
from provision.notes import placeholder
from provision.step import Step
from provision.target import Target
from provision.transcript import Session

#: Users who log in with a user name and a password.
USERS = ("alice", "bob", "carol", "dave")
#: The user whose certificate is enough.
AUTOLOGIN_USER = "robot"
#: How many one-time passwords each user is given, numbered from 1.
ONE_TIME_PASSWORDS = 20


@dataclass(frozen=True)
class _Chosen(Action):
    """Note a secret that was chosen beforehand, so that no transcript shows it."""

    changes: ClassVar[bool] = False

    name: str
    value: str

    def describe(self) -> str:
        """Return the note's name."""
        return f"  (noted as {self.name!r}; secret, never shown)"

    def applied(self, session: Session) -> bool:
        """Say whether this run has the note."""
        return self.name in session.notes

    def apply(self, session: Session) -> None:
        """Note it."""
        session.notes.keep(self.name, self.value, secret=True)


def steps(site: Site) -> list[Step]:
    """Return the step that makes the users, on the primary before the pair is made."""
    typed, noted = [], []
    for user in USERS:
        notes = [
            _Chosen(f"one-time password {number} of {user}", one_time_password(user, number))
            for number in range(1, ONE_TIME_PASSWORDS + 1)
        ]
        typed.append(" ".join([user, *(placeholder(note.name) for note in notes)]))
        noted += notes
    add = (
        "while read -r user words; do\n"
        f'    {SACLI} --user "$user" --value "$words" AddOneTimePasswords </dev/null\n'
        "done\n"
        f"{SACLI} --user {AUTOLOGIN_USER} --key prop_autologin --value true UserPropPut"
    )
    return [
        Step(
            name="users of the pair",
            section=SECTION,
            machine=site.primary.name,
            changes=f"{', '.join(USERS)} have one-time passwords; {AUTOLOGIN_USER} needs none",
            actions=(*noted, Command(add, once="users", stdin="\n".join(typed) + "\n")),
            module=__name__,
        )
    ]


def one_time_password(user: str, number: int) -> str:
    """Return the `number`th one-time password that `user` was given, from 1."""
    return f"{user}-once-{number:03}"


def user_profile(active: Target, user: str) -> str:
    """Return a user-locked profile from the active node, which asks for a password."""
    return active.run(f"{SACLI} --user {user} GetUserlogin").stdout


def autologin_profile(active: Target, user: str = AUTOLOGIN_USER) -> str:
    """Return an auto-login profile from the active node."""
    return active.run(f"{SACLI} --user {user} GetAutologin").stdout


def only_by(profile: str, protocol: str) -> str:
    """Return a profile that connects by one protocol only: "udp" or "tcp"."""
    lines = profile.splitlines()
    return (
        "\n".join(
            line
            for line in lines
            if not line.startswith("remote ") or line.split()[-1].startswith(protocol)
        )
        + "\n"
    )
