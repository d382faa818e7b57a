"""What the running service does for each program that asks it; see `control`."""

from __future__ import annotations

import argparse
import functools
import json
import sqlite3
from collections.abc import Mapping
from typing import NoReturn

from openvpnas import cli_sacli, cli_service, node_role, verify
from openvpnas.control import ALONE, VALUE, Answer, NotAQuestion, Program, Question
from openvpnas.paths import Paths


class _WrongLine(Exception):
    """A command line that sacli itself has to answer: it knows its caller's terminal."""


class _Parser(argparse.ArgumentParser):
    """A parser that never prints and never exits."""

    def error(self, message: str) -> NoReturn:
        raise _WrongLine(message)

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002 - as argparse has it
        raise _WrongLine


@functools.cache
def _parser() -> argparse.ArgumentParser:
    return cli_sacli.parser(_Parser)


def sacli(paths: Paths, question: Question) -> Answer:
    """Do one action. What --value_file names is the caller's to read, and is asked for."""
    try:
        chosen = _parser().parse_args(question.words)
    except _WrongLine:
        return Answer(ALONE)
    value = chosen.value
    if chosen.value_file is not None:
        if question.value is None:
            return Answer(VALUE, str(chosen.value_file))
        value = question.value.rstrip("\n")
    return Answer(*cli_sacli.outcome(paths, chosen, value))


def node_state(paths: Paths, _question: Question) -> Answer:
    """Say role and what the node holds."""
    return Answer(0, json.dumps(node_role.node_state(paths)) + "\n")


def accept_snapshot(paths: Paths, _question: Question) -> Answer:
    """Accept what the partner has sent."""
    return Answer(*cli_service.accept(paths))


def verify_user(_paths: Paths, question: Question) -> Answer:
    """Judge a log-in."""
    if len(question.words) != 4:  # noqa: PLR2004 - as verify.judge takes them
        raise NotAQuestion
    try:
        return Answer(verify.judge(*question.words))
    except (OSError, ValueError, sqlite3.Error):
        return Answer(ALONE)  # it fails in the same way, where OpenVPN reads of it


PROGRAMS: Mapping[str, Program] = {
    "sacli": sacli,
    "node-state": node_state,
    "accept-snapshot": accept_snapshot,
    "verify-user": verify_user,
}
