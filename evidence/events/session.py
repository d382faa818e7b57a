"""Events of clients' sessions over a takeover."""

from __future__ import annotations

from typing import Literal

from evidence.event import Count, Event, Name, Seconds, Value


class SessionResumed(Event):
    """What the new active node `source` saw of a client that came back (FO-36, 38).

    verify_calls: how often it checked a log-in of this client, by its log. password_spent: whether
    the password could not be used again. user_name_sent: whether one of those was with a user name;
    where there was none, nobody knows.
    """

    kind: Literal["session.resumed"] = "session.resumed"
    client: Name
    method: Literal["token", "certificate"]
    connected: bool
    verify_calls: Count
    password_spent: bool
    user_name_sent: bool


class TokenLogged(Value):
    """What a node logged of a token, and whose connection it was: the name in its certificate."""

    client: Name
    text: Name


class TokenTried(Event):
    """A client showed a token to the new active node `source` (FO-37).

    client: the name in its certificate. logged: what that node logged of tokens since the fault,
    of every client, each text once. age_s: no less than the token's age when the answer was seen.
    """

    kind: Literal["token.tried"] = "token.tried"
    client: Name
    case: Literal["lifetime-over", "clock-behind"]
    accepted: bool
    logged: tuple[TokenLogged, ...]
    age_s: Seconds


class ProfileUsed(Event):
    """A client with a profile fetched from `origin` connected, or not, to `server` (FO-35).

    waited_s: for how long it tried, where it did not. refused: whether it was told so.
    """

    kind: Literal["profile.used"] = "profile.used"
    client: Name
    origin: Name
    server: Name
    edited: bool
    connected: bool
    waited_s: Seconds = 0.0
    refused: bool = False
