"""Reading for how long processes were kept from running, from a /proc made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.schedstat import kept_ns, missing, pressure_ns, run_delays
from tests.lab.host_files import HostFiles

MS = 1_000_000


@pytest.fixture
def host(tmp_path: Path) -> HostFiles:
    return HostFiles(tmp_path)


def test_each_thread_has_a_delay_of_its_own(host: HostFiles) -> None:
    host.process(7, {7: 5 * MS, 8: 90 * MS})
    assert run_delays(7, host.proc) == {7: 5 * MS, 8: 90 * MS}


def test_a_thread_that_ends_while_it_is_read_is_passed_over(host: HostFiles) -> None:
    host.process(7, {7: 5, 8: 6})
    (host.proc / "7" / "task" / "8" / "schedstat").unlink()
    assert run_delays(7, host.proc) == {7: 5}


def test_a_process_that_is_gone_has_none(host: HostFiles) -> None:
    assert run_delays(7, host.proc) is None


def test_the_main_thread_and_one_processor_are_waited_for_one_after_the_other() -> None:
    before = {7: 0, 8: 100 * MS, 9: 0}
    now = {7: 20 * MS, 8: 150 * MS, 9: 30 * MS}
    assert kept_ns(7, before, now, 200 * MS) == 70 * MS


def test_two_threads_do_not_make_a_reading_longer_than_it_was() -> None:
    assert kept_ns(7, {7: 0, 8: 0}, {7: 180 * MS, 8: 190 * MS}, 200 * MS) == 200 * MS


def test_a_wait_that_began_before_the_reading_is_told_whole_when_it_ends() -> None:
    assert kept_ns(7, {7: 0, 8: 0}, {7: 30 * MS, 8: 700 * MS}, 200 * MS) == 700 * MS


def test_a_thread_that_is_new_counts_from_its_beginning() -> None:
    assert kept_ns(7, {7: 0}, {7: 0, 8: 40 * MS}, 200 * MS) == 40 * MS


def test_a_process_of_one_thread_is_that_thread() -> None:
    assert kept_ns(7, {7: 10 * MS}, {7: 35 * MS}, 200 * MS) == 25 * MS


def test_a_kernel_that_tells_is_not_complained_of(host: HostFiles) -> None:
    assert missing(host.proc) == ""


def test_a_kernel_without_run_delays_is_named(host: HostFiles) -> None:
    (host.proc / "self" / "schedstat").unlink()
    assert "no /proc/self/schedstat" in missing(host.proc)


def test_a_kernel_that_does_not_count_is_named(host: HostFiles) -> None:
    (host.proc / "self" / "schedstat").write_text("0 0 0\n")
    assert "zeros only" in missing(host.proc)


def test_pressure_is_told_in_nanoseconds(host: HostFiles) -> None:
    host.pressure(1_500_000)
    assert pressure_ns(host.proc) == 1_500_000_000


@pytest.mark.parametrize("content", [None, "", "nothing of the kind\n"])
def test_a_kernel_without_pressure_tells_none(host: HostFiles, content: str | None) -> None:
    path = host.proc / "pressure" / "cpu"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert pressure_ns(host.proc) is None
