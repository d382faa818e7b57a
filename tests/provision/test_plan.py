"""Plans: checked before anything happens, carried out in order, side by side where possible."""

import threading

import pytest

from lab.errors import CommandFailed
from provision.action import Check, Command, Remember
from provision.erratum import Erratum, write_errata
from provision.errors import PlanError, StepFailed
from provision.notes import Notes
from provision.plan import Plan
from provision.step import Step
from tests.provision.machines import ShellMachine


def step(name, machine="a", *actions, needs=()):
    return Step(name, "Section", machine, "something", tuple(actions), needs, module=__name__)


def run(plan, tmp_path, **machines):
    there = machines or {name: ShellMachine(name) for name in plan.machines}
    return plan.run(there, transcripts=tmp_path / "transcripts")


def test_a_need_that_is_no_step_is_refused():
    with pytest.raises(PlanError, match="'one' needs 'other'"):
        Plan([step("one", needs=("other",))])


def test_steps_that_wait_for_each_other_are_refused():
    with pytest.raises(PlanError, match="wait for each other"):
        Plan([step("one", "a", needs=("two",)), step("two", "b", needs=("one",))])


def test_needing_a_later_step_of_the_same_machine_is_refused():
    with pytest.raises(PlanError, match="wait for each other"):
        Plan([step("one", needs=("two",)), step("two")])


def test_a_name_that_stands_for_two_steps_is_refused():
    with pytest.raises(PlanError, match="same name: one"):
        Plan([step("one"), step("one", "b")])


def test_a_machine_that_is_not_there_is_named_before_anything_happens(tmp_path):
    machine = ShellMachine("a")
    with pytest.raises(PlanError, match="not there: b"):
        run(Plan([step("one", "a", Command("true")), step("two", "b")]), tmp_path, a=machine)
    assert machine.commands == []


def test_steps_run_in_order_and_the_second_time_nothing_does(tmp_path, stamps):
    log = tmp_path / "log"
    plan = Plan([step(n, "a", Command(f"echo {n} >> {log}", once=n)) for n in ("1", "2", "3")])
    assert [outcome.result for outcome in run(plan, tmp_path)] == ["applied"] * 3
    assert [outcome.result for outcome in run(plan, tmp_path)] == ["skipped"] * 3
    assert log.read_text() == "1\n2\n3\n"


def test_an_applied_step_costs_one_command_however_many_actions_it_has(tmp_path, stamps):
    plan = Plan([step("one", "a", *(Command("true", once=str(n)) for n in range(9)))])
    run(plan, tmp_path)
    (outcome,) = run(plan, tmp_path)
    assert outcome.commands == 1


def test_only_what_is_left_of_a_step_is_done(tmp_path, stamps):
    log = tmp_path / "log"
    first, second = (Command(f"echo {n} >> {log}", once=n) for n in ("1", "2"))
    run(Plan([step("one", "a", first)]), tmp_path)
    run(Plan([step("both", "a", first, second)]), tmp_path)
    assert log.read_text() == "1\n2\n"


def test_checks_and_notes_do_not_count_as_changes(tmp_path):
    plan = Plan([step("one", "a", Check("true"), Remember("n", "echo x"))])
    assert run(plan, tmp_path)[0].result == "skipped"


def test_machines_that_do_not_wait_for_each_other_work_side_by_side(tmp_path):
    meeting = threading.Barrier(2, timeout=20)

    class Meets(ShellMachine):
        def run(self, command, **options):
            meeting.wait()
            return super().run(command, **options)

    plan = Plan([step("one", "a", Check("true")), step("two", "b", Check("true"))])
    run(plan, tmp_path, a=Meets("a"), b=Meets("b"))


def test_a_step_starts_after_those_it_needs_on_other_machines(tmp_path):
    started = []
    plan = Plan([step("one", "a"), step("two", "b", needs=("three",)), step("three", "c")])
    plan.run(
        {name: ShellMachine(name) for name in "abc"},
        transcripts=tmp_path,
        progress=lambda step, outcome: started.append((step.name, outcome is not None)),
    )
    assert started.index(("three", True)) < started.index(("two", False))


def test_a_failure_names_machine_step_command_output_and_transcript(tmp_path):
    plan = Plan([step("break it", "a", Command("echo ouch; exit 3")), step("after", "a")])
    with pytest.raises(StepFailed) as caught:
        run(plan, tmp_path)
    text = str(caught.value)
    for part in ("a: step 'break it'", "exit 3", "status 3", "ouch", "transcripts/a.log"):
        assert part in text
    assert isinstance(caught.value.__cause__, CommandFailed)


def test_nothing_follows_a_step_that_failed(tmp_path):
    plan = Plan([step("one", "a", Command("false")), step("two", "a", Command("echo two"))])
    machine = ShellMachine("a")
    with pytest.raises(StepFailed):
        run(plan, tmp_path, a=machine)
    assert "echo two" not in machine.commands


def test_an_interrupt_does_not_wait_for_what_still_runs(tmp_path):
    running, released = threading.Event(), threading.Event()

    class Busy(ShellMachine):
        def run(self, command, **options):
            running.set()
            assert released.wait(timeout=20)
            return super().run(command, **options)

    class Interrupted(ShellMachine):
        def run(self, command, **options):  # noqa: ARG002 - the machine's signature
            assert running.wait(timeout=20)
            raise KeyboardInterrupt

    plan = Plan([step("one", "a", Check("true")), step("two", "b", Check("true"))])
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path, a=Busy("a"), b=Interrupted("b"))
    released.set()


def test_a_failure_shows_no_secret(tmp_path):
    secret = Remember("secret", "echo s3cr3t")
    plan = Plan([step("one", "a", secret, Command("cat; exit 1", stdin="{note:secret}"))])
    with pytest.raises(StepFailed) as caught:
        run(plan, tmp_path)
    assert "s3cr3t" not in str(caught.value)
    shown = (tmp_path / "transcripts" / "a.log").read_text().splitlines()
    assert not [line for line in shown if "s3cr3t" in line and not line.startswith("$ echo")]


def test_a_guard_that_is_no_shell_is_an_error_not_an_answer(tmp_path):
    with pytest.raises(StepFailed, match="yntax"):
        run(Plan([step("one", "a", Command("true", unless="(("))]), tmp_path)


def test_the_transcript_holds_command_output_and_status(tmp_path):
    run(Plan([step("one", "a", Command("echo hello; echo oh >&2"))]), tmp_path)
    log = (tmp_path / "transcripts" / "a.log").read_text()
    for line in ("=== Section: one", "$ echo hello; echo oh >&2", "| hello", "! oh", "status 0"):
        assert line in log


def test_a_source_key_follows_the_actions_and_those_before(tmp_path):
    def keys(first, second):
        return Plan(
            [step("one", "a", Command(first)), step("two", "a", Command(second))]
        ).source_keys()

    assert keys("x", "y") == keys("x", "y")
    assert keys("x", "y")[0] == keys("x", "z")[0]
    assert keys("x", "y")[1] != keys("x", "z")[1]
    assert keys("w", "y")[1] != keys("x", "y")[1]


def test_a_mask_covers_the_longer_secret_first():
    notes = Notes()
    notes.keep("short", "abcd", secret=True)
    notes.keep("long", "abcdefgh", secret=True)
    assert notes.mask("abcdefgh abcd") == "{note:long} {note:short}"


def test_errata_are_listed_once_and_written_whole(tmp_path):
    wrong = Erratum("e", "erratum", "the guide's words", "what happens", "the fix")
    steps = [Step(n, "S", "a", "", (), errata=(wrong,)) for n in ("1", "2")]
    assert Plan(steps).errata == (wrong,)
    write_errata(Plan(steps).errata, tmp_path / "errata.json")
    assert '"fix": "the fix"' in (tmp_path / "errata.json").read_text()
