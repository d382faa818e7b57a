"""Who makes a thing, and who has it from whom."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import Any

import pytest

from lab.errors import LabError
from lab.hosts.sharing.exchange import Exchange, Wish
from lab.made_once import CAME, MAKE, Cached

THING, OTHER = Cached("checkpoint", "ab12"), Cached("checkpoint", "cd34")


class Played:
    """Hosts that only remember; what takes long is done when the test says so."""

    def __init__(self, *hosts: str) -> None:
        self.has: set[str] = set()
        self.brought: list[tuple[str, str]] = []
        self.fails: set[str] = set()
        self.said: list[str] = []
        self.answers: list[tuple[Wish, str]] = []
        self.changed = threading.Condition()
        hosts = hosts or ("one", "two", "three")
        self.exchange = Exchange(hosts, self._has, self._bring, self._answer, self.said.append)

    def _has(self, host: str, thing: Cached) -> bool:
        assert thing in (THING, OTHER)
        return host in self.has

    def _bring(self, thing: Cached, giver: str, taker: str) -> None:
        assert thing in (THING, OTHER)
        assert giver in self.has
        if taker in self.fails:
            raise LabError(f"{taker}: its image is another")
        self.has.add(taker)
        self.brought.append((giver, taker))

    def _answer(self, wish: Wish, what: str) -> None:
        with self.changed:
            self.answers.append((wish, what))
            self.changed.notify_all()

    def answered(self, wish: Wish) -> str:
        def find() -> str:
            return next((what for one, what in self.answers if one == wish), "")

        with self.changed:
            assert self.changed.wait_for(find, 30)
            return find()

    def wants(self, host: str, name: str = "", thing: Cached = THING) -> Wish:
        wish = Wish(host, name or f"of {host}")
        self.exchange.wants(thing, wish)
        return wish


@pytest.fixture
def played() -> Played:
    return Played()


def nothing_more(played: Played, wish: Wish) -> bool:
    return not any(one == wish for one, _ in played.answers)


def test_the_first_makes_it_and_the_others_have_it_from_there(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    two, three = played.wants("two"), played.wants("three")
    assert nothing_more(played, two)
    assert nothing_more(played, three)
    played.has.add("one")
    played.exchange.ended(THING, one)
    assert (played.answered(two), played.answered(three)) == (CAME, CAME)
    assert {taker for _, taker in played.brought} == {"two", "three"}


def test_what_another_has_from_before_is_not_made(played: Played) -> None:
    played.has.add("three")
    assert played.answered(played.wants("one")) == CAME
    assert played.brought == [("three", "one")]


def test_when_the_maker_gives_up_the_next_makes_it(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    two = played.wants("two")
    played.exchange.ended(THING, one)
    assert played.answered(two) == MAKE


def test_when_the_makers_host_is_lost_the_next_makes_it(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    two, again = played.wants("two"), played.wants("three")
    played.exchange.lost("one")
    assert played.answered(two) == MAKE
    assert nothing_more(played, again)
    played.exchange.lost("two")
    assert played.answered(again) == MAKE


def test_another_worker_of_the_makers_host_takes_over(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    other = played.wants("one", "its second worker")
    assert nothing_more(played, other)
    played.exchange.ended(THING, one)
    assert played.answered(other) == MAKE
    played.has.add("one")
    played.exchange.ended(THING, other)
    assert played.answered(played.wants("one", "a third")) == CAME
    assert played.brought == []


def test_one_that_cannot_take_it_makes_its_own(played: Played) -> None:
    played.has.add("one")
    played.fails.add("two")
    assert played.answered(played.wants("two")) == MAKE
    assert played.said == [f"two makes {THING} itself: two: its image is another"]
    assert played.answered(played.wants("three")) == CAME


def test_whatever_goes_wrong_is_answered(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thing: Cached, _giver: str, _taker: str) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(played.exchange, "_bring", fail)
    played.has.add("one")
    assert played.answered(played.wants("two")) == MAKE
    assert played.answered(played.wants("two", "once more")) == MAKE
    assert "the disk is full" in played.said[0]


def test_when_the_giver_is_lost_in_the_middle_another_gives_it(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.has |= {"one", "two"}
    whole = played._bring

    def lose_the_first(thing: Cached, giver: str, taker: str) -> None:
        if not played.brought and giver == "two":
            played.has.discard("two")
            played.exchange.lost("two")
            raise LabError("two: the connection was cut")
        whole(thing, giver, taker)

    monkeypatch.setattr(played.exchange, "_bring", lose_the_first)
    assert played.answered(played.wants("three")) == CAME
    assert played.brought == [("one", "three")]


def test_what_was_made_after_all_is_given_to_others(played: Played) -> None:
    played.has.add("one")
    played.fails.add("two")
    two = played.wants("two")
    assert played.answered(two) == MAKE
    played.has.add("two")  # its own
    played.exchange.ended(THING, two)
    again = played.wants("two", "its second worker")
    assert played.answered(again) in (CAME, MAKE)
    played.exchange.lost("one")
    assert played.answered(played.wants("three")) == CAME


def test_a_host_that_is_not_heard_any_more_makes_nothing_for_others(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    two = played.wants("two")
    played.exchange.unheard("one")
    assert played.answered(two) == MAKE


def test_an_end_of_what_nobody_wanted_is_nothing(played: Played) -> None:
    played.exchange.ended(THING, Wish("one", "image.x.1"))
    assert played.answered(played.wants("one")) == MAKE


def test_who_waits_no_more_is_not_waited_for(played: Played) -> None:
    one = played.wants("one")
    assert played.answered(one) == MAKE
    two, three = played.wants("two"), played.wants("three")
    played.exchange.ended(THING, two)
    played.exchange.ended(THING, one)
    assert played.answered(three) == MAKE
    assert nothing_more(played, two)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[partial[None]]:
    """Give what takes long, as far as it has begun; a test lets it end."""
    acts: list[partial[None]] = []

    def beside(_: Exchange, act: Any, *told: object) -> None:
        acts.append(partial(act, *told))

    monkeypatch.setattr(Exchange, "_beside", beside)
    return acts


def givers(begun: list[partial[None]]) -> Counter[str]:
    return Counter(act.args[2] for act in begun)


def test_a_host_gives_to_two_at_once_and_who_has_it_by_then_gives_too(
    begun: list[partial[None]],
) -> None:
    names = [f"host-{number}" for number in range(30)]
    played = Played(*names)
    played.has.add("host-0")
    wishes = [played.wants(name) for name in names[1:]]
    begun.pop(0)()  # the look around
    assert givers(begun) == {"host-0": 2}
    while begun:
        assert max(givers(begun).values()) <= 2
        begun.pop(0)()
    assert {played.answered(wish) for wish in wishes} == {CAME}
    assert Counter(giver for giver, _ in played.brought)["host-0"] < 10
    assert played.said == []


def test_a_host_that_is_free_again_gives_another_thing(begun: list[partial[None]]) -> None:
    played = Played("one", "two", "three", "four")
    played.has.add("one")
    last = [played.wants(name) for name in ("two", "three")]
    begun.pop(0)()
    last.append(played.wants("four", thing=OTHER))
    begun.pop()()
    assert givers(begun) == {"one": 2}
    while begun:
        begun.pop(0)()
    assert {played.answered(wish) for wish in last} == {CAME}
