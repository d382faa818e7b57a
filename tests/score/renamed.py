"""The same run of a pair that bears other names, in another order of the alphabet.

A site may call its machines as it likes: that decides nothing. A check that has a name of its own,
or compares names by order where it means whether they are the same, is found out. Runs of the
multi-node guide have sites of other names (`tests.checks.sites`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evidence.event import Event
from evidence.events import read_event
from tests.score.healthy import Healthy
from tests.score.recording import Recording

LETTERS = "zyxwvutsrqponmlkjihgfedcba"


def renamed(good: Healthy) -> Healthy:
    """Return a good run with other names, the last one of the alphabet first; ports go along.

    As it is where there is no pair.
    """
    names = other_names(good.recording)
    if not names:
        return good
    at = {id(one): number for number, one in enumerate(good.recording.events)}
    events = tuple(_event(one, names) for one in good.recording.events)
    frames = tuple(
        replace(one, interface=_called(one.interface, names)) for one in good.recording.frames
    )
    return replace(
        good,
        recording=replace(good.recording, events=events, frames=frames),
        cited=tuple(events[at[id(one)]] for one in good.cited),
    )


def other_names(recording: Recording) -> dict[str, str]:
    """Return what each node of the pair is called instead; nothing where there is none."""
    names = sorted(recording.pair.nodes) if recording.pair else []
    return {name: f"{letter}-{name}" for name, letter in zip(names, LETTERS, strict=False)}


def _event(event: Event, names: Mapping[str, str]) -> Event:
    return read_event(_value(event.model_dump(mode="json"), names))


def _value(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_called(key, names): _value(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_value(part, names) for part in value]
    return _called(value, names) if isinstance(value, str) else value


def _called(text: str, names: Mapping[str, str]) -> str:
    """Return a name, or a port that begins with one, as it is called instead."""
    name, slash, port = text.partition("/")
    return names.get(name, name) + slash + port
