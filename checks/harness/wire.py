"""LAB-02: every frame is recorded once, and a fault must hit one. LAB-04: labs are apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.capture import Frame
from evidence.errors import Imprecise
from evidence.events.harness import (
    FramesDropped,
    FramesReceived,
    FramesSent,
    SaidOnWire,
    VerdictGiven,
)
from evidence.scenario import Evidence

HIT_NO_FRAME, WOULD_PASS = "hit no frame", "it would be PASS"
_DROPPED = "dropped"


@check("LAB-02")
def each_frame_is_recorded_once(evidence: Evidence, owed: Obligations) -> None:
    """Judge numbered frames by the capture, the rule's counter and the receiver's."""
    frames = list(evidence.every_frame())
    for sent in evidence.need(FramesSent):
        seen, dropped = _numbers(frames, sent)
        once = owed.owe(f"each of {sent.count} frames of {sent.port} is recorded exactly once")
        missing = sent.count - len(seen)
        once.settle(not missing, f"{missing} of {sent.count} frames are not recorded", sent.place)
        again = [number for number, times in seen.items() if times > 1]
        once.settle(not again, f"{len(again)} frames are recorded more than once", sent.place)
        _owe_dropped(evidence, owed, sent, dropped)
        _owe_received(evidence, owed, sent, len(seen) - dropped)
    _owe_unknown(evidence, owed)


def _numbers(frames: Iterable[Frame], sent: FramesSent) -> tuple[Counter[int], int]:
    """Return how often each number came in, and how many of them the wire dropped."""
    told = re.compile(re.escape(sent.nonce.encode()) + rb":(\d{1,9});")
    found: Counter[int] = Counter()
    dropped = set()
    for frame in frames:
        if frame.interface == sent.port and (match := told.search(frame.data)):
            found[int(match[1])] += 1
            if _DROPPED in frame.comment:
                dropped.add(int(match[1]))
    return found, len(dropped)


def _owe_dropped(evidence: Evidence, owed: Obligations, sent: FramesSent, dropped: int) -> None:
    one = owed.owe("what a rule drops is recorded, and counted")
    for told in evidence.events(FramesDropped):
        if told.nonce != sent.nonce:
            continue
        if not told.hits:
            one.doubt("the rule that was to drop frames hit none", told.place)
        why = f"the rule counted {told.hits} frames, and {dropped} are recorded as dropped"
        one.settle(told.hits == dropped, why, told.place)


def _owe_received(evidence: Evidence, owed: Obligations, sent: FramesSent, passed: int) -> None:
    one = owed.owe("what is recorded as passed on arrives, once")
    for told in evidence.events(FramesReceived):
        if told.nonce == sent.nonce:
            exact = told.different == told.count == passed
            why = (
                f"{passed} frames are recorded as passed on, {told.port} received {told.count},"
                f" {told.different} different ones"
            )
            one.settle(exact, why, told.place)


def _owe_unknown(evidence: Evidence, owed: Obligations) -> None:
    one = owed.owe("a fault that hit no frame makes a scenario UNKNOWN")
    for given in evidence.events(VerdictGiven):
        text = "; ".join(given.reasons)
        if WOULD_PASS not in text:
            one.doubt(f"{given.requirement} lacked something else, too: {text}", given.place)
        right = given.status == "UNKNOWN" and HIT_NO_FRAME in text
        one.settle(right, f"{given.requirement} is {given.status} all the same", given.place)


@check("LAB-04")
def labs_do_not_see_each_other(evidence: Evidence, owed: Obligations) -> None:
    """Judge that what is said in one of two labs with equal addresses is in its capture alone."""
    said = evidence.need(SaidOnWire)
    labs = {one.lab: one for one in said}
    same = {one.address for one in labs.values()}
    if not owed.at_least(2, labs, "labs side by side", *(one.place for one in said)):
        return
    if len(same) > 1:
        owed.open(f"the labs have different addresses: {', '.join(sorted(same))}")
    for own in labs.values():
        capture = evidence.guest_capture(own.capture)
        if capture.coverage().problems:
            raise Imprecise(f"{own.capture} {'; '.join(capture.coverage().problems)}")
        heard = b"\n".join(frame.data for frame in capture)
        for other in labs.values():
            there = other.nonce.encode() in heard
            if other is own:
                one = owed.owe(f"what {own.lab} says is recorded in {own.capture}")
                if there:
                    one.met(own.place, evidence.place(own.capture))
            else:
                owed.require(
                    not there,
                    f"{own.lab} hears nothing of {other.lab}",
                    f"what was said in {other.lab} is in {own.capture}",
                    other.place,
                    evidence.place(own.capture),
                )
