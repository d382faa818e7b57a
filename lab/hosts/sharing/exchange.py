"""Which host makes an image or a checkpoint, and which has it from whom: decided at home.

The first that wants one makes it, unless another has it from an earlier run. Whoever wants it
meanwhile waits, and gets it from there, or from another that has it by then: one host gives to few
at once. One that cannot take it makes its own: another build of the image, for instance, does not
carry a checkpoint. When the maker is lost, or gives up, the next makes it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.errors import LabError
from lab.made_once import CAME, MAKE, Cached
from lab.progress import Say

_GIVES_AT_ONCE = 2
"""Each is a session of the giver's connection: a server takes ten, and four last all the run."""


class Wish(NamedTuple):
    """A worker's wish: on which host, and how its file is called there."""

    host: str
    name: str


@dataclass
class _Thing:
    """What is known of one image or checkpoint."""

    holders: list[str] = field(default_factory=list)
    maker: Wish | None = None
    waiting: list[Wish] = field(default_factory=list)
    coming: set[str] = field(default_factory=set)
    """The hosts that it is being brought to."""


class Exchange:
    """The wishes of all hosts.

    has: whether a host has a thing; bring: take it from one host to another, LabError if that does
    not succeed; answer: tell a worker. The first two take long, and have a thread for each wish.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        has: Callable[[str, Cached], bool],
        bring: Callable[[Cached, str, str], None],
        answer: Callable[[Wish, str], None],
        say: Say,
    ) -> None:
        self._hosts = list(hosts)
        self._has, self._bring, self._answer, self._say = has, bring, answer, say
        self._things: dict[Cached, _Thing] = {}
        self._gives: Counter[str] = Counter()
        self._lock = threading.Lock()

    def wants(self, thing: Cached, wish: Wish) -> None:
        """Take a wish; it is answered as soon as it can be."""
        with self._lock:
            known = self._things.get(thing)
            if known is not None:
                known.waiting.append(wish)
                self._go_on(thing)
                return
            self._things[thing] = _Thing(maker=wish)
            others = [host for host in self._hosts if host != wish.host]
        self._beside(self._look_around, thing, wish, others)

    def ended(self, thing: Cached, wish: Wish) -> None:
        """Take note that a worker waits no more, and makes no more."""
        with self._lock:
            known = self._things.get(thing)
            if known is None:
                return
            if wish in known.waiting:
                known.waiting.remove(wish)
            if wish.host in known.holders:
                return
        self._beside(self._made, thing, wish)

    def lost(self, host: str) -> None:
        """Take note that a host is gone."""
        with self._lock:
            self._hosts = [one for one in self._hosts if one != host]
            for known in self._things.values():
                known.holders = [one for one in known.holders if one != host]
        self.unheard(host)

    def unheard(self, host: str) -> None:
        """Take note that nothing is heard of a host's wishes any more: nobody waits for them."""
        with self._lock:
            for thing, known in self._things.items():
                known.waiting = [one for one in known.waiting if one.host != host]
                if known.maker is not None and known.maker.host == host:
                    known.maker = None
                self._go_on(thing)

    def _look_around(self, thing: Cached, wish: Wish, others: list[str]) -> None:
        """Find out who has it from before, for the first wish of all."""
        holders = [host for host in others if self._is_there(host, thing)]
        with self._lock:
            known = self._things[thing]
            known.holders += [host for host in holders if host in self._hosts]
            if known.maker != wish:  # it ended meanwhile, or its host did
                self._go_on(thing)
                return
            if not known.holders:
                self._answer(wish, MAKE)
                return
            known.maker = None
            known.waiting.insert(0, wish)
            self._go_on(thing)

    def _made(self, thing: Cached, wish: Wish) -> None:
        is_there = self._is_there(wish.host, thing)
        with self._lock:
            known = self._things[thing]
            if known.maker == wish:
                known.maker = None
            if is_there and wish.host in self._hosts:
                known.holders.append(wish.host)
            self._go_on(thing)

    def _go_on(self, thing: Cached) -> None:
        """Bring it to all that wait, or let the first of them make it. Under the lock."""
        known = self._things[thing]
        for wish in list(known.waiting):
            if wish.host in known.holders:
                known.waiting.remove(wish)
                self._answer(wish, CAME)
            elif known.holders:
                giver = min(reversed(known.holders), key=self._gives.__getitem__)
                if wish.host not in known.coming and self._gives[giver] < _GIVES_AT_ONCE:
                    known.coming.add(wish.host)
                    known.waiting.remove(wish)
                    self._gives[giver] += 1
                    self._beside(self._take, thing, wish, giver)
            elif known.maker is None:
                known.waiting.remove(wish)
                known.maker = wish
                self._answer(wish, MAKE)

    def _take(self, thing: Cached, wish: Wish, holder: str) -> None:
        why = ""
        try:
            self._bring(thing, holder, wish.host)
        except Exception as error:  # noqa: BLE001 - somebody waits for the answer
            why = error.message if isinstance(error, LabError) else repr(error)
        with self._lock:
            known = self._things[thing]
            self._gives[holder] -= 1
            known.coming.discard(wish.host)
            if not why:
                if wish.host in self._hosts:
                    known.holders.append(wish.host)
                self._answer(wish, CAME)
            elif holder not in self._hosts:  # lost in the middle: another may have it
                known.waiting.insert(0, wish)
            else:
                self._say(f"{wish.host} makes {thing} itself: {why}")
                self._answer(wish, MAKE)
            for each in self._things:  # others may have waited for this giver
                self._go_on(each)

    def _is_there(self, host: str, thing: Cached) -> bool:
        try:
            return self._has(host, thing)
        except LabError:
            return False

    def _beside(self, act: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=act, args=arguments, daemon=True).start()
