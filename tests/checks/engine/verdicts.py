"""Verdicts for tests of what is made of verdicts, each as obligations would make it."""

from checks.engine.obligations import Obligations
from checks.engine.verdict import Verdict


def good(what: str = "shown", place: str = "history.jsonl:1") -> Verdict:
    owed = Obligations()
    owed.require(True, what, "", place)
    return owed.verdict()


def bad(why: str = "broken", place: str = "history.jsonl:1") -> Verdict:
    owed = Obligations()
    owed.require(False, "shown", why, place)
    return owed.verdict()


def late(why: str = "the host was busy") -> Verdict:
    owed = Obligations()
    owed.owe("in time").late(why)
    return owed.verdict()


GOOD, BAD, LATE = good(), bad(), late()
