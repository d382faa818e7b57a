"""LAB-02: every frame is recorded once, and a fault must hit one. LAB-04: labs are apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.capture import Frame
from evidence.coverage import Coverage
from evidence.errors import Imprecise
from evidence.events.harness import (
    FramesDropped,
    FramesReceived,
    FramesSent,
    SaidOnWire,
    VerdictGiven,
)
from evidence.events.run import HostLate
from evidence.moment import NS, Window
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
        known = sum(number < sent.count for number in seen)
        missing, strange = sent.count - known, len(seen) - known
        once.settle(not missing, f"{missing} of {sent.count} frames are not recorded", sent.place)
        once.settle(not strange, f"{strange} recorded frames were never sent", sent.place)
        again = [number for number, times in seen.items() if times > 1]
        once.settle(not again, f"{len(again)} frames are recorded more than once", sent.place)
        for port, count in sorted(_elsewhere(frames, sent).items()):
            once.broken(f"{count} of them are recorded at {port} as well", sent.place)
        _owe_dropped(evidence, owed, sent, dropped)
        _owe_received(evidence, owed, sent, len(seen) - dropped, _sending(frames, sent))
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


def _sending(frames: Iterable[Frame], sent: FramesSent) -> tuple[int, int]:
    """Return from when to when (ns) those came in that were passed on; (0, 0) when none was."""
    nonce = sent.nonce.encode()
    passed = [one for one in frames if one.interface == sent.port and _DROPPED not in one.comment]
    times = [one.at_ns for one in passed if nonce in one.data]
    return min(times, default=0), max(times, default=0)


def _elsewhere(frames: Iterable[Frame], sent: FramesSent) -> Counter[str]:
    """Return how many of the same frames, octet by octet, are recorded at each other port.

    What another machine says of them, such as an ICMP error that quotes one, is its own frame.
    """
    every = [frame for frame in frames if sent.nonce.encode() in frame.data]
    own = {frame.data for frame in every if frame.interface == sent.port}
    return Counter(x.interface for x in every if x.interface != sent.port and x.data in own)


def _owe_dropped(evidence: Evidence, owed: Obligations, sent: FramesSent, dropped: int) -> None:
    one = owed.owe("what a rule drops is recorded, and counted")
    for told in evidence.events(FramesDropped):
        if told.nonce != sent.nonce:
            continue
        if not told.hits:
            one.doubt("the rule that was to drop frames hit none", told.place)
        why = f"the rule counted {told.hits} frames, and {dropped} are recorded as dropped"
        one.settle(told.hits == dropped, why, told.place)


def _owe_received(
    evidence: Evidence, owed: Obligations, sent: FramesSent, passed: int, span: tuple[int, int]
) -> None:
    """Owe that all of them arrive: who is kept from running misses what is sent meanwhile."""
    one = owed.owe("what is recorded as passed on arrives, once")
    for told in evidence.events(FramesReceived):
        if told.nonce == sent.nonce:
            why = (
                f"{passed} frames are recorded as passed on, {told.port} received {told.count},"
                f" {told.different} different ones"
            )
            if told.different == told.count < passed:
                share = (passed - told.count) / passed
                excess_s = max(share * (span[1] - span[0]), 1) / NS
                whose, late = {told.source, "wire"}, evidence.events(HostLate)
                missed(one, why, excess_s, span, whose, late, told.place)
            else:
                one.settle(told.different == told.count == passed, why, told.place)


def _owe_unknown(evidence: Evidence, owed: Obligations) -> None:
    one = owed.owe("a fault that hit no frame makes a scenario UNKNOWN")
    for given in evidence.events(VerdictGiven):
        text = "; ".join(given.reasons)
        if WOULD_PASS not in text:
            one.doubt(f"{given.requirement} lacked something else, too: {text}", given.place)
        if given.status == "UNKNOWN" and HIT_NO_FRAME not in text:
            one.doubt(f"{given.requirement} is UNKNOWN for something else: {text}", given.place)
            continue
        right = given.status == "UNKNOWN"
        one.settle(right, f"{given.requirement} is {given.status} all the same", given.place)


@check("LAB-04")
def labs_do_not_see_each_other(evidence: Evidence, owed: Obligations) -> None:
    """Judge that what is said in one of two labs with equal addresses is in its capture alone."""
    said = evidence.need(SaidOnWire)
    labs = {one.lab for one in said}
    same = {one.address for one in said}
    if not owed.at_least(2, labs, "labs side by side", *(one.place for one in said)):
        return
    if len(same) > 1:
        owed.open(f"the labs have different addresses: {', '.join(sorted(same))}")
    for lab, name in dict.fromkeys((one.lab, one.capture) for one in said):
        _owe_apart(evidence, owed, lab, name)


def _owe_apart(evidence: Evidence, owed: Obligations, lab: str, name: str) -> None:
    """Owe that a lab's capture holds each word that was said in it, and none that was elsewhere."""
    capture, said = evidence.wire_capture(name), evidence.need(SaidOnWire)
    coverage = capture.coverage()
    if coverage.problems:
        raise Imprecise(f"{name} {'; '.join(coverage.problems)}")
    for why in _holes(coverage, evidence.window, said):
        owed.open(f"what {lab} heard is not known: {why}", evidence.place(name))
    heard = b"\n".join(frame.data for frame in capture)
    for word in said:
        there = word.nonce.encode() in heard
        if word.lab != lab:
            owed.require(
                not there,
                f"{lab} hears nothing of {word.lab}",
                f"what was said in {word.lab} is in {name}",
                word.place,
                evidence.place(name),
            )
        elif word.capture == name:
            one = owed.owe(f"what {lab} says is recorded in {name}")
            if there:
                one.met(word.place, evidence.place(name))


def _holes(coverage: Coverage, window: Window, said: Iterable[SaidOnWire]) -> list[str]:
    """Return what may hide a word: a hole of the capture, or that it does not go on until then.

    A lab may come and go within the scenario: it need not be recorded for all of it.
    """
    holes = [
        one
        for one in coverage.known_holes
        if one.from_ns < window.until_ns and one.until_ns > window.from_ns
    ]
    holes += [hole for word in said for hole in coverage.holes(word.at_ns, word.at_ns + 1)]
    return list(dict.fromkeys(one.why for one in holes))
