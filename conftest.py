"""pytest meets the lab: the wiring stands in `scenarios/plugin`, a module a part of a run."""

pytest_plugins = [
    "scenarios.plugin.options",
    "scenarios.plugin.matrix",
    "scenarios.plugin.starting",
    "scenarios.plugin.collection",
    "scenarios.plugin.workers",
    "scenarios.plugin.labs",
    "scenarios.plugin.judging",
    "scenarios.plugin.ending",
    "scenarios.over_hosts.unfit",
]
