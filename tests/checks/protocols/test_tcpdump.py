"""The guide's tcpdump line, in both forms that tcpdump prints it."""

from __future__ import annotations

import pytest

from checks.protocols import tcpdump

SLL = tcpdump.GUIDE_SAMPLE.replace("00:5f", "00:5e")
SLL2 = (
    "18:15:53.000605 eth0  M   ifindex 2 00:00:5e:00:00:5e ethertype IPv4 (0x0800), length 76: "
    "192.168.70.1 > 224.0.0.18: VRRPv2, Advertisement, vrid 94, prio 0, authtype none, "
    "intvl 1s, length 36"
)


@pytest.mark.parametrize(("line", "form"), [(SLL, "SLL"), (SLL2, "SLL2")])
def test_both_forms_are_read(line: str, form: str) -> None:
    read = tcpdump.parse_line(line)
    assert read is not None
    assert (read.form, read.vrid, read.prio, read.interval_s) == (form, 94, 0, 1)
    assert read.at_s == pytest.approx(18 * 3600 + 15 * 60 + 53.000605)
    assert read.mac_fits_vrid


def test_the_guides_sample_reads_but_its_mac_does_not_fit_its_vhid() -> None:
    read = tcpdump.parse_line(tcpdump.GUIDE_SAMPLE)
    assert read is not None
    assert not read.mac_fits_vrid


@pytest.mark.parametrize(
    "line",
    [
        SLL.replace("length 72", "length 70"),
        SLL2.replace("length 76", "length 72"),
        SLL.replace("VRRPv2", "VRRPv3"),
        SLL.replace("authtype none", "authtype simple"),
        SLL.replace("length 36", "length 20"),
        "listening on any, link-type LINUX_SLL2",
        "",
    ],
)
def test_other_lines_are_not_advertisements(line: str) -> None:
    assert tcpdump.parse_line(line) is None


def test_advertisements_are_picked_out_of_a_whole_output() -> None:
    output = f"tcpdump: verbose output suppressed\n{SLL}\n{SLL}\n\n2 packets captured\n"
    assert len(tcpdump.advertisement_lines(output)) == 2


@pytest.mark.parametrize(("end", "others"), [("\n", ["192.168.70.1"]), ("", [])])
def test_who_sent_lines_of_another_form_is_read_but_of_a_torn_one(end: str, others: list) -> None:
    output = f"listening on any\n{SLL}\n{SLL2}\n{SLL[:-10]}{end}"
    assert tcpdump.senders_of_other_lines(output) == others


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("vrid 94", "vrid " + "9" * 5000), ("prio 0", "prio " + "9" * 5000), ("intvl 1s", "intvl ٣s")],
)
def test_a_number_that_no_tcpdump_prints_makes_no_advertisement(was: str, becomes: str) -> None:
    assert tcpdump.parse_line(SLL.replace(was, becomes)) is None
