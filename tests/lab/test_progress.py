"""What takes so long, as it is said on a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from lab.progress import Progress

HOSTILE = "\x1b]0;title\x07 [red]x[/] [/nothing]"
SHOWN = r"\x1b]0;title\x07 [red]x[/] [/nothing]"


@pytest.mark.parametrize("interactive", [True, False])
def test_what_is_said_neither_acts_on_a_terminal_nor_is_taken_for_markup(
    interactive: bool,
) -> None:
    said = StringIO()
    console = Console(file=said, force_interactive=interactive, width=100, color_system=None)
    progress = Progress(console)
    progress.say(HOSTILE)
    with progress.task(HOSTILE):
        pass
    assert said.getvalue().count(SHOWN) >= 2
    assert "\x1b]0" not in said.getvalue()
