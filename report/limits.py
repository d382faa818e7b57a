"""What nothing in a run could have shown, whatever its verdicts: stand-ins, guests, a selection."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from checks.engine.collected import Collected
from checks.engine.repetition import Repetition
from checks.engine.requirements import catalogue
from report.kills import is_of_mutants
from report.matrix import Row
from report.reading import Material
from report.words import conjoined, listed, table, text

DROP_IN = "drop-in"
_NOTES = 3
"""So many are told; the others are counted."""
_EMULATED = re.compile(r"(\S+: )?tcg\b")


def limits(material: Material, rows: Sequence[Row]) -> Iterator[str]:
    """Yield what nothing in this run could have shown, whatever its verdicts."""
    facts, guides = material.facts, {row.guide for row in rows}
    if stand_ins := on_stand_ins(material, rows):
        yield (
            f"For the {conjoined(stand_ins)} guide{'s' * (len(stand_ins) != 1)} a stand-in with the"
            " commands, files and answers of the genuine software was tested. All else is genuine:"
            " OpenVPN, the heartbeat daemon, Apache, PHP, BIND, iptables."
        )
    image = text(facts.get("image"))
    if "site" in facts:
        yield "Only the machines of this site were tested; what they run was not looked at."
    elif image:
        written = "; the multi-node guide is written for CentOS 7" * ("multi-node" in guides)
        yield f"Only guests of {image} were tested{written}."
    if any(map(_EMULATED.match, text(facts.get("accelerator")).split("; "))):
        yield "The guests' processors were emulated (tcg): real ones take other times."
    if guides & {"failover", "multi-node"}:
        yield from _selection(Collected.told(facts), rows)
    if not is_of_mutants(material):
        yield from _repetitions(rows)
    if material.notes:
        told = listed(material.notes, _NOTES)
        yield f"Between scenarios, so that no scenario's times go across it: {told}."
    if others := material.outcomes.others:
        said = ", so what else they would have shown is open"
        yield f"Scenarios that did not pass{said}: {listed(others)}."


def _selection(collected: Collected | None, rows: Sequence[Row]) -> Iterator[str]:
    """Say what the run left out by its own choice."""
    covers = "A PASS covers the scenarios listed under it, no more."
    if collected is None:
        yield (
            "What it was to carry out was not recorded: it may be no sign-off run (--full), or one"
            f" of a selection. {covers}"
        )
    elif not collected.full:
        yield (
            "This is no sign-off run (--full): that provokes each fault 20 times, and has scenarios"
            f" that were left out here. {covers}"
        )
    else:
        here = {row.id for row in rows}
        left, count = sum(one.id not in here for one in catalogue()), collected.deselected
        if left or count:
            yield (
                f"{left} of the catalogue's {len(catalogue())} requirements were not part of this"
                f" sign-off run (--full), and {count} scenario{'s were' if count != 1 else ' was'}"
                f" deselected. {covers}"
            )


def _repetitions(rows: Sequence[Row]) -> Iterator[str]:
    """Say which requirements ask for more repetitions than any fault of theirs had."""
    short: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        asked = catalogue().get(row.id).repetitions if row.id in catalogue() else 1
        most = _longest_series(row)
        if row.judged and most < asked:
            short.setdefault((asked, most), []).append(row.id)
    for (asked, most), ids in short.items():
        yield (
            f"{listed(ids)} ask{'s' * (len(ids) == 1)} for {asked} repetitions; at most {most}"
            f" {'was' if most == 1 else 'were'} judged of any fault."
        )


def _longest_series(row: Row) -> int:
    found = Counter[str]()
    for part in row.parts:
        repetition = Repetition.named(part.scenario)
        if repetition is not None:
            found[repetition.series] += 1
    return max(found.values(), default=1)


def on_stand_ins(material: Material, rows: Sequence[Row]) -> list[str]:
    """Return the guides, of those that are judged here, that were followed with a stand-in."""
    told = table(material.facts.get("software"))
    guides = sorted({row.guide for row in rows})
    return [one for one in guides if table(told.get(one.replace("-", "_"))).get("name") == DROP_IN]
