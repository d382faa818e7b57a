"""The benchmark measures what it says, whatever the figures are."""

from __future__ import annotations

import json

import pytest

from bench import __main__ as command_line
from bench.__main__ import main


@pytest.fixture(autouse=True)
def evidence_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(command_line, "_ROOT", tmp_path)


def test_the_wire_benchmark_prints_its_figures_as_json(capsys):
    amounts = ["--pings", "50", "--frames", "500", "--flood", "500"]
    assert main(["wire", "--json", *amounts]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["recorded_exactly_once"] is True
    assert figures["flood_sent"] == 500
    assert {"latency_p50_us", "latency_p99_us", "frames_per_second", "peak_rss_mib"} <= set(figures)


def test_the_wire_benchmark_prints_a_table(capsys):
    assert main(["wire", "--pings", "20", "--frames", "100", "--flood", "10"]) == 0
    assert "latency_p50_us" in capsys.readouterr().out
