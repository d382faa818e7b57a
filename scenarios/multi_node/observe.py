"""What a scenario asks machines: one command a machine, several side by side.

Answers go to the history as they are. Nothing here judges. Secrets stay on the machine: inline
keys, tokens and `apiConsumers` are cut out before anything leaves it.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Literal

from checks.multi_node.guide import FAMILIES
from evidence.events.multi_node import (
    ApiAnswered,
    ConnectionLog,
    ControllerConfig,
    Credentials,
    DnsAnswer,
    DnsAnswered,
    FileWritten,
    InterfacesShown,
    NameAnswer,
    NamesAnswered,
    PhpFile,
    PhpLinted,
    ProcessStarted,
    RecordType,
    ServerAges,
    ServerState,
)
from evidence.history import History
from lab.answers import understood
from lab.clock import NS, ClockOffset
from lab.machine import Machine

_MARK = "@@@"  # begins a line that separates the parts of one answer

#: awk: an OpenVPN config without what its inline blocks hold; the tags stay
WITHOUT_SECRETS = r"/^<\//{skip=0} !skip{print} /^<[a-z]/{skip=1}"

#: shell: when the node's OpenVPN files were written and their processes started, by its own clock
SERVER_AGES = r"""
echo "hz $(getconf CLK_TCK)"
echo "up $(cut -d ' ' -f 1 /proc/uptime)"; echo "now $(date +%s%N)"
echo "up $(cut -d ' ' -f 1 /proc/uptime)"
for file in /etc/openvpn/server/*.conf; do
    [ ! -e "$file" ] || echo "file $(stat -c '%.9Y' "$file") $file"
done
for pid in $(pidof openvpn); do
    config=$(tr '\0' '\n' <"/proc/$pid/cmdline" | grep -A 1 -x -e --config | sed -n 2p)
    [ -z "$config" ] || echo "process $(cut -d ' ' -f 22 "/proc/$pid/stat") $config"
done
true"""
_AGE_WORDS = ("hz", "up", "now", "file", "process")

_DIG_HEADER = re.compile(r"->>HEADER<<- .{0,80}status: (?P<status>\w+), id: (?P<id>\d{1,5})\b")
_DIG_QUESTION = re.compile(r"^;(?P<name>\S{1,255})\.\s+IN\s+(?P<type>\w+)$", re.MULTILINE)
_DIG_ADDRESS = re.compile(r"^[^;\s]\S*\s+\d+\s+IN\s+(?:A|AAAA)\s+(\S+)$", re.MULTILINE)

_DIG = "dig +noall +comments +question +answer +time=5 +tries=3 -f -"

Question = tuple[str, RecordType]  # a name without its last dot, a record type


def addresses_and_names(history: History, machine: Machine, questions: Iterable[Question]) -> None:
    """Record what `ip -j addr` shows, and what the machine's DNS answers."""
    asked = list(questions)
    # dig says 9 when one of the questions had no answer: then it is not in the list
    command = f"ip -j addr || exit\nprintf '\n{_MARK} names\n'\n{_DIG} || [ $? -eq 9 ]"
    said = machine.run(command, stdin=_batch(asked), timeout=_dig_within_s(asked))
    links, _, answers = said.stdout.partition(f"\n{_MARK} names\n")
    with understood(machine.name, "what it says of its addresses and of names"):
        seen = InterfacesShown(source=machine.name, links=json.loads(links))
        found = list(read_dig(answers))
    history.record(seen)
    _record_names(history, machine, asked, found)


def names(history: History, machine: Machine, questions: Iterable[Question]) -> None:
    """Record what the machine's DNS answers; a name without answer has no addresses."""
    asked = list(questions)
    _record_names(history, machine, asked, dig(machine, asked))


def _record_names(
    history: History,
    machine: Machine,
    asked: Sequence[Question],
    answered: Iterable[DnsAnswer],
) -> None:
    found = {(answer.name, answer.type): answer.addresses for answer in answered}
    answers = tuple(
        NameAnswer(
            name=name,
            type=kind,
            addresses=found.get((name, kind), ()),
            answered=(name, kind) in found,
        )
        for name, kind in asked
    )
    history.record(NamesAnswered(source=machine.name, answers=answers))


def dns(history: History, machine: Machine, name: str, kind: RecordType, count: int) -> None:
    """Record what the machine's DNS answers to the same question, asked `count` times."""
    answers = tuple(dig(machine, [(name, kind)] * count))
    with understood(machine.name, "what dig says"):
        seen = DnsAnswered(source=machine.name, type=kind, answers=answers)
    history.record(seen)


def dig(machine: Machine, questions: Sequence[Question]) -> list[DnsAnswer]:
    """Ask one after the other, by one command; return the answers that came, in order."""
    within_s = _dig_within_s(questions)
    said = machine.run(_DIG, stdin=_batch(questions), timeout=within_s, check=False)
    with understood(machine.name, "what dig says"):
        return list(read_dig(said.stdout))


def _dig_within_s(questions: Sequence[Question]) -> float:
    """Return how long dig may take; of a name server that is dead a few dozen say enough."""
    return 60 + len(questions) + 15 * min(len(questions), 40)


def _batch(questions: Iterable[Question]) -> str:
    return "".join(f"{name} {kind}\n" for name, kind in questions)


def read_dig(text: str) -> Iterator[DnsAnswer]:
    """Yield each answer in dig's output; ValueError for one that cannot be."""
    for block in text.split(";; Got answer:")[1:]:
        header, question = _DIG_HEADER.search(block), _DIG_QUESTION.search(block)
        if header is None or question is None:
            continue
        yield DnsAnswer.model_validate(
            {
                **header.groupdict(),
                "name": question["name"].lower(),
                "type": question["type"],
                "addresses": _DIG_ADDRESS.findall(block),
            }
        )


def controller_config(history: History, controller: Machine) -> None:
    """Record the controller's profiles, and whether they are merged; nothing of its secrets."""
    program = (
        '$c = require "/etc/vpn-server-api/config.php"; '
        "$object = function ($options) { return (object) $options; }; echo json_encode(["
        '"profiles" => $object(array_map($object, $c["vpnProfiles"])), '
        '"use_vpn_daemon" => isset($c["useVpnDaemon"]) ? $c["useVpnDaemon"] : null, '
        '"merged" => file_exists("/var/lib/vpn-server-api/ta.key")]);'
    )
    said = controller.run(f"php -r {shlex.quote(program)}").stdout
    with understood(controller.name, "its configuration"):
        seen = ControllerConfig(source=controller.name, **json.loads(said))
    history.record(seen)


def php_lint(history: History, machine: Machine, paths: Iterable[str]) -> None:
    """Record what `php -l` says of each file."""
    command = (
        f"for file in {shlex.join(paths)}; do "
        f'said=$(php -l "$file" 2>&1); printf \'{_MARK} %s %s\\n%s\\n\' $? "$file" "$said"; done'
    )
    said = machine.run(command).stdout
    with understood(machine.name, "what php -l says"):
        seen = PhpLinted(source=machine.name, files=tuple(read_lint(said)))
    history.record(seen)


def read_lint(said: str) -> Iterator[PhpFile]:
    """Yield what `php -l` says of each file; ValueError for anything else."""
    for head, output in _parts(said):
        status, path = head.split(" ", 1)
        yield PhpFile(path=path, status=int(status), output=output)


def ask_api(history: History, machine: Machine, url: str) -> None:
    """Record what the API says over IPv4 and IPv6, without and with a wrong secret."""
    shown: tuple[Credentials, ...] = ("none", "wrong")
    asked = {f"{family} {which}": (family, which) for family in FAMILIES for which in shown}
    command = "\n".join(
        f"printf '{_MARK} {head}\\n'; curl -{family} -sS -m 30"
        f"{' -u vpn-server-node:wrong' if which == 'wrong' else ''}"
        f" -w '\\n%{{http_code}} %{{content_type}}\\n' {shlex.quote(url)} 2>&1"
        for head, (family, which) in asked.items()
    )
    said = machine.run(command, timeout=180, check=False).stdout
    with understood(machine.name, "what curl says of the API"):
        seen = [
            _api_answer(machine.name, url, *asked[head], answer) for head, answer in _parts(said)
        ]
    for one in seen:
        history.record(one)


def _api_answer(
    machine: str, url: str, family: Literal[4, 6], which: Credentials, answer: str
) -> ApiAnswered:
    status, content_type, text = read_curl(answer)
    return ApiAnswered(
        source=machine,
        url=url,
        family=family,
        credentials=which,
        status=status,
        content_type=content_type,
        body=text if status else "",
        detail="" if status else text,
    )


def read_curl(answer: str) -> tuple[int, str, str]:
    """Return status, content type and text of an answer; ValueError when curl told no status."""
    lines = answer.strip("\n").split("\n")
    # curl's complaint, if any, stands before or after the line with the status
    at = max(i for i, line in enumerate(lines) if re.match(r"[0-9]{3}( |$)", line))
    status, _, content_type = lines.pop(at).partition(" ")
    return int(status), content_type, "\n".join(lines).strip("\n")


def server_state(history: History, node: Machine) -> None:
    """Record a node's OpenVPN files, units, sockets and devices, and how old they are."""
    command = "\n".join(
        [
            'for file in /etc/openvpn/server/*.conf; do [ -e "$file" ] || continue; '
            f"printf '{_MARK} %s\n' \"${{file##*/}}\"; awk '{WITHOUT_SECRETS}' \"$file\"; "
            "echo; done",
            *(
                f"printf '\n{_MARK} /{name}\n'; {asked} || exit"
                for name, asked in {
                    "units": "systemctl list-units --all --plain --no-legend 'openvpn-server@*'",
                    "sockets": "ss -Hltnup",
                    "links": "ip -j link",
                    "ages": SERVER_AGES,
                }.items()
            ),
        ]
    )
    said = node.run(command).stdout
    with understood(node.name, "what it says of its servers"):
        seen = read_server_state(node.name, said)
        ages = read_ages(node.name, dict(_parts(said))["/ages"])
    history.record(seen)
    history.record(ages)


def read_server_state(node: str, said: str) -> ServerState:
    """Return what a node said of its files, units, sockets and devices."""
    # no file's name holds a slash: what begins with one is another answer
    parts = dict(_parts(said))
    return ServerState(
        source=node,
        files={name: text for name, text in parts.items() if not name.startswith("/")},
        units=parts["/units"],
        sockets=parts["/sockets"],
        links=json.loads(parts["/links"]),
    )


def read_ages(node: str, text: str) -> ServerAges:
    """Read what `SERVER_AGES` prints; ValueError when the node's clock is not in it.

    A process' start is told in ticks since the boot. When that was, the node's uptime says, read
    before and after its clock.
    """
    rows = [line.split(" ", 2) for line in text.splitlines()]
    told = {word: [row[1:] for row in rows if row[0] == word] for word in _AGE_WORDS}
    try:
        (before,), (after,) = told["up"]
        ((now,),), ((tick_hz,),) = told["now"], told["hz"]
    except ValueError as error:
        raise ValueError(f"{node} did not tell its time") from error
    early_ns, late_ns = (int(float(seconds) * NS) for seconds in (before, after))
    booted_ns = int(now) - (early_ns + late_ns) // 2
    tick_ns = NS // int(tick_hz)
    return ServerAges(
        source=node,
        uncertainty_ns=(late_ns - early_ns) // 2 + 2 * tick_ns,
        files=tuple(
            FileWritten(name=PurePosixPath(path).name, written_ns=int(Decimal(seconds) * NS))
            for seconds, path in told["file"]
        ),
        processes=tuple(
            ProcessStarted(config=PurePosixPath(path).name, started_ns=booted_ns + int(n) * tick_ns)
            for n, path in told["process"]
        ),
    )


def connection_log(history: History, controller: Machine, nodes: Iterable[Machine]) -> None:
    """Record the connections that the controller's log holds as open.

    A node dates its own connections, to a second. Each node's clock is measured before and after
    the log is read, so that the offset is true all the while.
    """
    program = (
        '$d = new PDO("sqlite:/var/lib/vpn-server-api/db.sqlite"); echo json_encode($d->query('
        '"SELECT profile_id, ip4, connected_at, disconnected_at FROM connection_log'
        ' WHERE disconnected_at IS NULL")->fetchAll(PDO::FETCH_ASSOC));'
    )
    asked = list(nodes)
    before = {node.name: node.clock() for node in asked}
    began_ns = time.time_ns()
    said = controller.run(f"php -r {shlex.quote(program)}").stdout
    half_ns = (time.time_ns() - began_ns) // 2
    clocks = {node.name: ClockOffset.spanning([before[node.name], node.clock()]) for node in asked}
    with understood(controller.name, "its log of connections"):
        seen = read_connections(
            controller.name, said, clocks, at_ns=began_ns + half_ns, uncertainty_ns=half_ns
        )
    history.record(seen)


def read_connections(
    controller: str,
    said: str,
    clocks: Mapping[str, ClockOffset],
    *,
    at_ns: int,
    uncertainty_ns: int,
) -> ConnectionLog:
    """Return the controller's log of connections as it stood at `at_ns`.

    clocks: how far each node's clock is behind, by the node's name, which its profile has too.
    """
    rows = json.loads(said)
    for row in rows:
        dated_ns = int(datetime.fromisoformat(row["connected_at"]).timestamp()) * NS
        if (offset := clocks.get(row["profile_id"])) is not None:
            row["connected_ns"] = offset.on_host(dated_ns)
            row["uncertainty_ns"] = offset.uncertainty_ns + NS
    return ConnectionLog(
        source=controller, at_ns=at_ns, uncertainty_ns=uncertainty_ns, rows=tuple(rows)
    )


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield what stands beside each mark, and what stands below it."""
    for part in f"\n{text}".split(f"\n{_MARK} ")[1:]:
        head, _, body = part.partition("\n")
        yield head, body
