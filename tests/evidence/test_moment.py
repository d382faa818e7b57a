"""When the first, and the last, of several uncertain moments was, and how well that is known."""

import pytest

from evidence.moment import Moment, first_of, last_of


@pytest.mark.parametrize(
    ("moments", "first", "last"),
    [
        ([(10, 1)], (9, 11), (9, 11)),
        ([(10, 1), (20, 1)], (9, 11), (19, 21)),
        ([(10, 1), (8, 6)], (2, 11), (9, 14)),
        ([(10, 1), (12, 6)], (6, 11), (9, 18)),
        ([(10, 1), (11, 2)], (9, 11), (9, 13)),
    ],
)
def test_whichever_it_was_it_lies_between(
    moments: list[tuple[int, int]], first: tuple[int, int], last: tuple[int, int]
) -> None:
    every = [Moment(*one) for one in moments]
    for found, wanted in ((first_of(every), first), (last_of(every), last)):
        assert found.earliest_ns in (wanted[0], wanted[0] - 1)
        assert found.latest_ns == wanted[1]


def test_of_none_there_is_no_first() -> None:
    with pytest.raises(ValueError, match="empty"):
        first_of([])
