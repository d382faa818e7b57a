"""Text of strangers, made safe to print: what would act on a terminal, or hide, is shown instead.

Guests, logs and evidence from anywhere hold what their senders like: escape sequences that move the
cursor or set a title, bidirectional overrides that turn a sentence round, characters of no width
that make two names look alike. Whoever prints such text calls `visible` first. It is for people:
nothing is read back from it, and a backslash that was in the text stays one.

Markup of a library that prints (rich's `[red]`) is another matter, and escaped by its own means.
"""

from __future__ import annotations

import unicodedata

_LAYOUT = "\n\t"
_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that take no room, or look like a space, and are printable by their class."""


def visible(text: str, *, layout: bool = False, most: int = 0) -> str:
    r"""Return `text` with everything that is not to be seen written out: ESC as `\x1b`.

    That is: control characters (C0, DEL, C1), format characters (bidirectional, of no width, tags),
    line and paragraph separators, lone surrogates, what Unicode has not assigned, variation
    selectors. layout: whether newlines and tabs stay; else they are written out, too, so that one
    line stays one. most: how many characters are shown at most, 0 for all of them; what is left out
    is counted.
    """
    left = 0
    if 0 < most < len(text):
        text, left = text[:most], len(text) - most
    if not text.isprintable() or not text.isascii():
        text = "".join(one if _is_seen(one, layout) else _written_out(one) for one in text)
    return f"{text}... ({left} more characters)" if left else text


def _is_seen(one: str, layout: bool) -> bool:
    if one.isprintable():
        return one not in _EMPTY and not _selects_variation(one)
    return (layout and one in _LAYOUT) or unicodedata.category(one) == "Zs"


def _selects_variation(one: str) -> bool:
    return "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef"


def _written_out(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
