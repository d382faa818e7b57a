"""How every test here runs, and what several rooms need.

No property is timed, as nobody knows what else a machine has to do.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from lab.timing import Recorder

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vpnproof", "labs of real virtual machines")
    group.addoption(
        "--kills", type=int, default=0, help="kills of tests/vm/test_kills.py (default: none)"
    )
    group.addoption(
        "--kills-seed", default="1", help="what and when is killed (default: %(default)s)"
    )
    group.addoption("--pictures", metavar="DIR", help="where tests of the portal leave pictures")
    group.addoption("--sites", action="store_true", help="also tests/vm/test_site.py: minutes each")


@pytest.fixture(autouse=True, scope="session")
def _runs_of_tests_begin_quickly() -> Iterator[None]:
    """Let the runs of pytest that tests start go without hypothesis's plugin.

    It takes a third of a second to import, at the end of each of some hundred runs, and none of
    them states a property.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
        yield


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Listen to where the test's time goes."""
    one = Recorder()
    yield one
    one.close()
