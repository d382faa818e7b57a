"""How every test here runs, and what several rooms need.

No property is timed, as nobody knows what else a machine has to do.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from lab.timing import Recorder

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Listen to where the test's time goes."""
    one = Recorder()
    yield one
    one.close()
