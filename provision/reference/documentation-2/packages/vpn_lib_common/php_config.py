"""Configuration files in PHP, read and written through PHP itself.

``config.php`` is a program: only PHP knows what it returns. Written files have the layout of
``var_export``, and comments are lost, as with the genuine tools.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_QUIET = ("-d", "display_errors=stderr", "-d", "log_errors=0")
_READ = "echo json_encode(require $argv[1], JSON_PRESERVE_ZERO_FRACTION);"
_WRITE = (
    'echo "<?php return ".var_export(json_decode(stream_get_contents(STDIN), true), true).";\\n";'
)


class ConfigError(Exception):
    """A configuration file is missing, unreadable, or not what PHP can return an array from."""


class ConfigSyntaxError(ConfigError):
    """PHP itself refuses the file."""


Fingerprint = tuple[int, int, int]
_seen: dict[Path, tuple[Fingerprint, dict[str, Any]]] = {}


def read(path: Path) -> dict[str, Any]:
    """Return the array ``path`` returns; read again only when the file has changed.

    Raises ConfigError, with the file's name, when there is none, or PHP finds it wrong.
    """
    try:
        status = path.stat()
    except OSError:
        raise ConfigError(f'unable to read "{path}"') from None
    fingerprint = (status.st_mtime_ns, status.st_size, status.st_ino)
    if path in _seen and _seen[path][0] == fingerprint:
        return _seen[path][1]
    config = _run_php(path)
    _seen[path] = (fingerprint, config)
    return config


def write(path: Path, config: Mapping[str, Any]) -> None:
    """Replace ``path`` whole, keeping its mode and owner."""
    done = subprocess.run(
        ["php", *_QUIET, "-r", _WRITE],
        input=json.dumps(config),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ConfigError(f'unable to write "{path}": {done.stderr.strip()}')
    status = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(done.stdout)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _run_php(path: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            ["php", *_QUIET, "-r", _READ, str(path)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ConfigError(f'unable to read "{path}": the program "php" is not installed') from None
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()
        raise ConfigSyntaxError(f'unable to read "{path}": {reason[0] if reason else "PHP failed"}')
    try:
        config = json.loads(done.stdout)
    except ValueError:
        raise ConfigError(f'unable to read "{path}": it prints text of its own') from None
    if config == []:
        return {}
    if not isinstance(config, dict):
        raise ConfigError(f'unable to read "{path}": it does not return a keyed array')
    return config
