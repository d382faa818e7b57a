"""The history: what is appended, what is read back, what a torn line costs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadEvidence, Missing
from evidence.history import Event, History, read_history


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    with History(tmp_path / "h", "s") as history:
        event = history.record("ping", "client", at_ns=5, uncertainty_ns=2, received=3)
    assert list(read_history(tmp_path / "h")) == [event]
    assert event == Event(5, "client", "ping", {"received": 3}, "s", 2)


def test_an_event_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    with History(tmp_path / "h") as history:
        history.record("ping", "client")
        assert len(read_history(tmp_path / "h")) == 1


def test_events_are_selected_by_kind_source_and_scenario(tmp_path: Path) -> None:
    for scenario in ("one", "two"):
        with History(tmp_path / "h", scenario) as history:
            history.record("a.x", "client")
            history.record("a.y", "node-a")
    recording = read_history(tmp_path / "h")
    assert len(recording.events(scenario="one")) == 2
    assert len(recording.events(kind="a.x", scenario="two")) == 1
    assert len(recording.events(kind="a.*", source="node-a")) == 2


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_torn_last_line_is_named_and_the_others_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "h"
    with History(path) as history:
        history.record("first", "client")
        history.record("second", "client")
    path.write_bytes(path.read_bytes()[: -1 - cut])
    recording = read_history(path)
    assert [event.kind for event in recording] == ["first"]
    assert recording.torn == (2,)


def test_what_is_recorded_after_a_torn_line_is_not_lost_with_it(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b'{"at_ns": 1, "sour')
    with History(path) as history:
        history.record("after", "client")
    recording = read_history(path)
    assert [event.kind for event in recording] == ["after"]
    assert recording.torn == (1,)


def test_data_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with History(tmp_path / "h") as history, pytest.raises(TypeError):
        history.record("odd", "client", value=object())
    assert (tmp_path / "h").read_bytes() == b""


def test_a_missing_history_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="runs/latest"):
        read_history(tmp_path / "none")


def test_a_field_that_an_event_lacks_is_missing_evidence() -> None:
    with pytest.raises(Missing, match="'up'"):
        Event(1, "client", "tunnel", {}, line=7)["up"]
