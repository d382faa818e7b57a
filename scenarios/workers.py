"""How scenarios are shared out among the workers of pytest-xdist."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class OneWorkerAGuide(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives all scenarios of a guide to one worker, as they share its lab."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the folder of a scenario, which is its guide."""
        return nodeid.partition("::")[0].rpartition("/")[0]
