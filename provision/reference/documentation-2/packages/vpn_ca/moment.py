"""RFC 3339 times read as strictly, and refused in the same words, as Go's ``time.Parse``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_LAYOUT = "2006-01-02T15:04:05Z07:00"
# What the layout expects in turn, as Go names it in an error, and what satisfies it.
_ELEMENTS = (
    ("2006", r"\d{4}"),
    ("-", "-"),
    ("01", r"\d\d"),
    ("-", "-"),
    ("02", r"\d\d"),
    ("T", "T"),
    ("15", r"\d\d?"),
    (":", ":"),
    ("04", r"\d\d"),
    (":", ":"),
    ("05", r"\d\d(?:\.\d+)?"),
    ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)


def parse_moment(text: str) -> datetime:
    """Return the moment ``text`` names, in UTC; ValueError carries Go's message."""
    parts, rest = [], text
    for name, pattern in _ELEMENTS:
        match = re.match(pattern, rest, re.ASCII)
        if match is None:
            raise ValueError(
                f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{rest}" as "{name}"'
            )
        parts.append(match.group())
        rest = rest[match.end() :]
    if rest:
        raise ValueError(f'parsing time "{text}": extra text: "{rest}"')
    year, month, day, hour, minute, second = (int(float(part)) for part in parts[0:11:2])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        return moment - _offset(parts[11])
    except (ValueError, OverflowError):
        raise ValueError(f'parsing time "{text}": {_out_of_range(month, hour)}') from None


def add_years(moment: datetime, years: int) -> datetime:
    """Return the same calendar day ``years`` later; 29 February becomes 1 March if need be."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, month=3, day=1)


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))


def _out_of_range(month: int, hour: int) -> str:
    if not 1 <= month <= 12:
        return "month out of range"
    return "hour out of range" if hour > 23 else "day out of range"
