"""Which scenarios run, how often, and what is to be judged by them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from checks.engine.requirements import catalogue
from scenarios.durations import LAST
from scenarios.mutants import plugin as mutants
from scenarios.plugin.stash import COLLECTED, ROOT, TO_BE_JUDGED
from scenarios.repetitions import repeat
from scenarios.requirements import collected, requirements_of, to_be_judged

_DESELECTED = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)  # after what parametrizes a scenario by itself
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if mutants.are_wanted(metafunc.config):
        mutants.multiply(metafunc)
    else:
        repeat(metafunc, metafunc.config.getoption("full"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if mutants.are_wanted(config):
        mutants.leave_out_others(config, items)
    else:
        _leave_for_sign_off(config, items)
    items.sort(key=lambda item: LAST in item.nodeid)  # which leaves all others in their order
    for item in items:
        for requirement in requirements_of(item):
            catalogue().get(requirement)
        for marker in item.iter_markers("engine"):
            if marker.args[0] != (chosen := config.getoption("heartbeat")):
                reason = f"about {marker.args[0]}, and the pair runs {chosen}"
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what is left out, by whatever choice."""
    for item in items[:1]:  # the hook has no config
        stash = item.config.stash
        stash[_DESELECTED] = stash.get(_DESELECTED, 0) + len(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what is to be carried out and judged, now that nothing more is left out."""
    config = session.config
    config.stash[TO_BE_JUDGED] = to_be_judged(session.items)
    config.stash[COLLECTED] = collected(
        session.items,
        full=config.getoption("full"),
        deselected=config.stash.get(_DESELECTED, 0),
    )


def _leave_for_sign_off(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --full, leave out what takes many minutes, unless it is asked for by its name."""
    if config.getoption("full"):
        return
    named = tuple(argument for argument in config.args if "::" in argument)
    left = [
        item for item in items if item.get_closest_marker("sign_off") and not _is_named(item, named)
    ]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def _is_named(item: pytest.Item, arguments: tuple[str, ...]) -> bool:
    """Whether one of the arguments is this test's own, with its parameters or without."""
    path, _, name = item.nodeid.partition("::")
    wanted = {(Path(a.partition("::")[0]).resolve(), a.partition("::")[2]) for a in arguments}
    place = (ROOT / path).resolve()
    return not wanted.isdisjoint({(place, name), (place, name.partition("[")[0])})


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether this is a sign-off run."""
    return bool(request.config.getoption("full"))
