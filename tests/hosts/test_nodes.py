"""Workers that do not begin, or break down, died for xdist; evidence that did not come is told."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from xdist.dsession import DSession
from xdist.scheduler import LoadScheduling
from xdist.workermanage import Marker, NodeManager, WorkerController

from lab.errors import LabError
from lab.hosts.connection import for_worker
from scenarios.combinations import WHY
from scenarios.labs import Labs
from scenarios.over_hosts import unfit
from scenarios.over_hosts.fleet import Fleet
from scenarios.over_hosts.nodes import (
    LAST,
    begin_as_far_as_may_be,
    die_of_an_internal_error,
)
from scenarios.over_hosts.notes import Notes
from scenarios.over_hosts.plugin import OverHosts
from scenarios.run import TERMINAL_OF_RUN, Run

SPEC = SimpleNamespace(id="two-0", ssh="two+worker")
Event = tuple[str, dict[str, Any]]


class Manager:
    """As much of xdist's NodeManager as starts workers: none on a host called two."""

    config = SimpleNamespace(stash={})

    def setup_node(self, spec: SimpleNamespace, _put: object) -> str:
        if spec is SPEC:
            raise OSError("HostNotFound")
        return f"worker {spec.id}"


def test_a_worker_that_cannot_be_started_is_one_that_died() -> None:
    manager, events = Manager(), list[Event]()
    begin_as_far_as_may_be(cast(Any, manager))
    node: Any = manager.setup_node(SPEC, events.append)
    ((name, said),) = events
    assert (name, said["node"]) == ("errordown", node)
    assert said["error"] == "it cannot be started: OSError('HostNotFound')"
    assert (node.gateway.id, node.gateway.spec, node.config) == ("two-0", SPEC, manager.config)
    assert len({node, node}) == 1, "xdist keeps its nodes in sets"
    assert manager.setup_node(SimpleNamespace(id="one-0"), events.append) == "worker one-0"


def test_who_starts_one_in_the_place_of_another_is_told_that_it_cannot_be() -> None:
    manager = Manager()
    set_up: Any = begin_as_far_as_may_be(cast(Any, manager))
    with pytest.raises(OSError, match="HostNotFound"):
        set_up(SPEC, print)


def test_a_worker_whose_pytest_failed_has_died_and_says_no_more() -> None:
    events: list[Event] = []
    node: Any = SimpleNamespace(
        notify_inproc=lambda name, **said: events.append((name, said)), _down=False
    )
    die_of_an_internal_error(node)
    node.notify_inproc("workerready", node=node)
    node.notify_inproc("internal_error", node=node, formatted_error="Traceback\nOSError: full")
    node.notify_inproc("workerfinished", node=node)
    assert events == [
        ("workerready", {"node": node}),
        ("errordown", {"node": node, "error": "Traceback\nOSError: full"}),
    ]
    assert node._down, "it gets no scenario any more"


def reported(error: BaseException, **told: object) -> None:
    item = SimpleNamespace(config=SimpleNamespace(workerinput=told))
    call = SimpleNamespace(excinfo=SimpleNamespace(value=error), when="call")
    unfit.break_down_if_unfit(cast(Any, item), cast(Any, call))


FULL = OSError(errno.ENOSPC, "No space left on device")


def behind() -> BaseException:
    try:
        raise LabError("a checkpoint cannot be kept") from FULL
    except LabError as error:
        return error


def caused(
    error: Exception, *, cause: Exception | None = None, context: Exception | None = None
) -> Exception:
    error.__cause__, error.__context__ = cause, context
    return error


def in_a_circle() -> Exception:
    one = LabError("one")
    return caused(one, cause=caused(LabError("two"), context=one), context=FULL)


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "No space left on device for you"),
        behind(),
        caused(LabError("no"), cause=FULL),
        caused(LabError("no"), context=FULL),
        in_a_circle(),
        ExceptionGroup("two", [ValueError(), FULL]),
    ],
)
def test_a_full_disk_takes_the_worker_of_a_host_along(error: BaseException) -> None:
    with pytest.raises(OSError, match=r"its disk was full: .*No space left on device"):
        reported(error, vpnproof_host={})
    reported(error)  # a worker beside home is none of a host's


def test_any_other_error_is_the_scenarios_own() -> None:
    reported(LabError("no"), vpnproof_host={})
    reported(OSError(errno.ENOENT, "no"), vpnproof_host={})
    one = LabError("one")
    reported(caused(one, cause=caused(LabError("two"), context=one)), vpnproof_host={})


class Setting(Labs):
    """Labs of which one guide's cannot be made, by an error."""

    def __init__(self, error: LabError) -> None:
        self._places = {"failover": cast(Any, SimpleNamespace(failure=error))}


NO_LAB = LabError("virtqemud does not start:\nit began\nno room\n", hint="make some")


def set_up(labs: Labs | None, told: dict[str, object], when: str = "setup") -> None:
    """Report a scenario that got no further than this error: with labs, or without any."""
    item = pytest.Function.__new__(pytest.Function)
    item.config = cast(Any, SimpleNamespace(workerinput={"vpnproof_host": told}))
    item.funcargs = {} if labs is None else {"labs": labs}
    item.fixturenames = ["labs", "lab"]
    call = SimpleNamespace(excinfo=SimpleNamespace(value=NO_LAB), when=when)
    unfit.break_down_if_unfit(item, cast(Any, call))


@pytest.mark.parametrize("labs", [None, Setting(NO_LAB)], ids=["no labs", "no lab of a guide"])
def test_a_host_that_can_make_no_lab_takes_its_worker_along(labs: Labs | None) -> None:
    told = r"^no lab can be made on it: virtqemud does not start: no room \(hint: make some\)$"
    with pytest.raises(LabError, match=told):
        set_up(labs, {})


def test_on_the_last_host_it_is_the_scenarios_error() -> None:
    set_up(None, {LAST: True})


def test_what_goes_wrong_in_a_lab_is_the_scenarios_error() -> None:
    set_up(Setting(LabError("another one, long ago")), {})
    set_up(Setting(NO_LAB), {}, when="call")


def test_a_scenario_that_met_no_error_is_reported() -> None:
    item = SimpleNamespace(config=SimpleNamespace(workerinput={"vpnproof_host": {}}))
    unfit.break_down_if_unfit(
        cast(Any, item), cast(Any, SimpleNamespace(excinfo=None, when="call"))
    )


def noted(tmp_path: Path, *, lost: str, owed: set[str], differs: list[str]) -> list[str]:
    one = SimpleNamespace(name="one", lost=lost, owed=owed)
    fleet = SimpleNamespace(members={"one": one}, differs={"one": differs} if differs else {})
    return Notes(Run(tmp_path, tmp_path), cast(Fleet, fleet)).incomplete()


def test_what_ended_on_a_host_and_did_not_come_home_is_told(tmp_path: Path) -> None:
    assert noted(tmp_path, lost="gone", owed={"x.py::test_a", ""}, differs=[]) == [
        "x.py::test_a ended on one, and its evidence did not come home: run it again"
    ]
    assert noted(tmp_path, lost="", owed={""}, differs=["run.json: is gone"]) == [
        "evidence of one is other at home than there: run.json: is gone"
    ]
    assert noted(tmp_path, lost="gone", owed=set(), differs=[]) == []
    assert noted(tmp_path, lost="", owed={"x.py::test_a"}, differs=[]) == [], "it may come yet"


@pytest.mark.parametrize(
    ("incomplete", "before", "status"), [(["a line"], 0, 1), ([], 0, 0), (["a line"], 2, 2)]
)
def test_a_run_whose_evidence_is_not_whole_is_no_success(
    tmp_path: Path, incomplete: list[str], before: int, status: int
) -> None:
    fleet = SimpleNamespace(members={}, finish=lambda *_, **__: None)
    plugin = OverHosts(cast(Fleet, fleet), {}, tmp_path)
    plugin.notes = cast(
        Notes,
        SimpleNamespace(part=None, arrived=None, close=lambda: None, incomplete=lambda: incomplete),
    )
    session = SimpleNamespace(exitstatus=pytest.ExitCode(before))
    plugin.pytest_sessionfinish(cast(pytest.Session, session))
    assert session.exitstatus == status
    lines: list[str] = []
    reporter = SimpleNamespace(write_line=lambda line, **_: lines.append(line), stats={})
    plugin.fleet.missing = {}
    plugin.pytest_terminal_summary(cast(Any, reporter))
    assert lines == incomplete


class Left:
    """As much of a fleet as a host can be lost of."""

    settings = Path("ssh.conf")

    def __init__(self, *names: str) -> None:
        self.members = {
            name: SimpleNamespace(name=name, checkout="there", lost="", owed=set())
            for name in names
        }

    @property
    def left(self) -> list[SimpleNamespace]:
        return [one for one in self.members.values() if not one.lost]

    def lose(self, name: str, why: str) -> None:
        self.members[name].lost = why


def replaced(plugin: OverHosts, node: object, starts: str) -> object:
    """Let a worker that died as the last one be replaced, where only the host `starts` can."""

    def set_up(spec: Any, _put: object) -> str:
        if spec.ssh.startswith(starts):
            return "a worker on " + starts
        raise OSError("HostNotFound")

    plugin.notes = cast(Any, SimpleNamespace(lost=lambda *_: None, joined=lambda *_: None))
    plugin._set_up = cast(Any, set_up)
    sched = SimpleNamespace(nodes=[], node2collection=[node], pending=[0])
    plugin._dsession = SimpleNamespace(
        sched=sched, queue=SimpleNamespace(put=print), _active_nodes=set(), shouldstop=False
    )
    return plugin._another(cast(Any, node))


def died_on(fleet: Left, name: str) -> SimpleNamespace:
    fleet.lose(name, "it is gone")
    return SimpleNamespace(gateway=SimpleNamespace(spec=SimpleNamespace(ssh=for_worker(name))))


def test_a_scenario_that_is_left_ends_the_run_in_order_when_no_host_starts_a_worker(
    tmp_path: Path,
) -> None:
    fleet = Left("one", "two")
    plugin = OverHosts(cast(Fleet, fleet), {"one": 1, "two": 1}, tmp_path)
    assert replaced(plugin, died_on(fleet, "two"), "none") is None
    assert plugin._dsession.shouldstop == "every host was lost"
    assert "no worker can be started on it: HostNotFound" in fleet.members["one"].lost


def test_where_one_idle_host_cannot_start_a_worker_the_next_one_is_asked(tmp_path: Path) -> None:
    fleet = Left("one", "two", "three")
    plugin = OverHosts(cast(Fleet, fleet), dict.fromkeys(fleet.members, 1), tmp_path)
    assert replaced(plugin, died_on(fleet, "two"), "three") == "a worker on three"
    assert plugin._dsession.shouldstop is False
    assert [one.name for one in fleet.left] == ["three"]


def test_workers_are_set_up_so_that_one_that_cannot_be_is_one_that_died(tmp_path: Path) -> None:
    plugin, manager = OverHosts(cast(Any, SimpleNamespace()), {}, tmp_path), Manager()
    plugin._dsession = SimpleNamespace(nodemanager=manager)
    plugin.pytest_xdist_setupnodes()
    events: list[Event] = []
    manager.setup_node(SPEC, events.append)
    assert [name for name, _ in events] == ["errordown"]
    with pytest.raises(OSError, match="HostNotFound"):
        plugin._set_up(cast(Any, SPEC), events.append)


def test_files_of_home_are_not_named_to_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (WHY, TERMINAL_OF_RUN):
        monkeypatch.setenv(name, "/home")
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "9")
    host = SimpleNamespace(
        tether=Path, labs_directory=tmp_path, cache=tmp_path, run=Path, name="one"
    )
    one = SimpleNamespace(host=host)
    fleet: Any = SimpleNamespace(
        run="r", members={"one": one}, left=[one], wishes=lambda _: tmp_path
    )
    node: Any = SimpleNamespace(
        gateway=SimpleNamespace(spec=SimpleNamespace(ssh="one+worker")),
        workerinput={},
        notify_inproc=print,
    )
    OverHosts(fleet, {"one": 1}, Path(__file__).parents[2]).pytest_configure_node(node)
    assert node.notify_inproc is not print, "it hears of an internal error"
    assert node.workerinput["vpnproof_host"][LAST] is True
    told = node.workerinput["vpnproof_host"]["environment"]
    assert told["VPNPROOF_CAPTURE_MIB"] == "9"
    assert not {WHY, TERMINAL_OF_RUN} & told.keys()


def mend(what: str) -> str:
    from xdist import __version__

    return (
        f"pytest-xdist {__version__} {what}: see what took its place, and mend "
        "scenarios/over_hosts/nodes.py, plugin.py and scenarios/workers.py; until then keep the "
        "version of requirements.lock"
    )


def xdists_own(events: list[Event]) -> Any:
    """Make a worker's controller as xdist has it, which nothing was started for."""
    plugins = SimpleNamespace(register=lambda _: None)
    config = SimpleNamespace(pluginmanager=plugins, option=SimpleNamespace(debug=False))
    manager, gateway = SimpleNamespace(specs=[], testrunuid=""), SimpleNamespace(id="one-0")
    node = WorkerController(
        cast(Any, manager), cast(Any, gateway), cast(Any, config), events.append
    )
    node.channel = SimpleNamespace(_getremoteerror=lambda: None)
    return node


def test_xdist_takes_the_word_of_a_worker_whose_pytest_failed_as_is_replaced_here() -> None:
    events: list[Event] = []
    node = xdists_own(events)
    assert not node.shutting_down
    die_of_an_internal_error(node)
    node.process_from_remote(("internal_error", {"formatted_error": "OSError: full"}))
    assert events == [("errordown", {"node": node, "error": "OSError: full"})], mend(
        "tells home by another way than `WorkerController.notify_inproc`"
    )
    assert node.shutting_down, mend("has no `WorkerController._down`")
    node.process_from_remote(("workerfinished", {"workeroutput": {}}))
    node.process_from_remote(Marker.END)
    assert len(events) == 1, mend("tells home twice that a worker died")


def test_xdist_starts_workers_by_what_is_replaced_here() -> None:
    manager: Any = NodeManager.__new__(NodeManager)
    hook = SimpleNamespace(pytest_xdist_setupnodes=lambda **_: None)
    manager.config = SimpleNamespace(hook=hook, stash={})
    manager.specs, manager.trace = [SPEC], print
    manager.group = SimpleNamespace()  # which starts nothing
    events: list[Event] = []
    set_up = begin_as_far_as_may_be(manager)
    (node,) = manager.setup_nodes(events.append)
    assert [name for name, _ in events] == ["errordown"], mend("has no `NodeManager.setup_node`")
    assert node.gateway.spec is SPEC
    assert set_up is not manager.setup_node


@pytest.mark.parametrize(
    ("of", "names"),
    [
        (DSession, "_clone_node worker_errordown worker_workerready handle_crashitem"),
        (DSession.__init__, "_active_nodes nodemanager sched queue"),
        (DSession.worker_errordown, "_clone_node remove_node handle_crashitem _active_nodes"),
        (DSession._clone_node, "setup_node _active_nodes"),
        (NodeManager, "setup_node setup_nodes rsync_roots"),
        (NodeManager.__init__, "roots"),
        (WorkerController, "notify_inproc process_from_remote shutdown shutting_down"),
        (WorkerController.__init__, "_down workerinput gateway config"),
        (WorkerController.setup, "pytest_xdist_getremotemodule pytest_configure_node channel"),
        (LoadScheduling, "mark_test_pending collection_is_completed tests_finished nodes"),
        (LoadScheduling.__init__, "numnodes node2collection node2pending pending collection"),
    ],
)
def test_xdist_has_all_that_a_run_over_hosts_takes_from_it(of: Any, names: str) -> None:
    code = getattr(of, "__code__", None)
    known = set(dir(of)) if code is None else {*code.co_names, *code.co_varnames}
    gone = [name for name in names.split() if name not in known]
    assert not gone, mend(f"has no {', '.join(gone)} in {of.__qualname__} any more")
