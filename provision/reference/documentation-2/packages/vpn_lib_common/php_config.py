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

from vpn_lib_common.lasting import names_to_disk, to_disk

_QUIET = ("-d", "display_errors=stderr", "-d", "log_errors=0")
_READ = "echo json_encode(require $argv[1], JSON_PRESERVE_ZERO_FRACTION);"
_WRITE = (
    "$config = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);"
    'echo "<?php return ".var_export($config, true).";\\n";'
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
    """Replace ``path`` whole, keeping its mode and owner; ConfigError for text that is no UTF-8."""
    try:
        wanted = json.dumps(config, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # whose words would show every secret
        raise ConfigError(f'unable to write "{path}": a text of it is not UTF-8') from None
    done = subprocess.run(
        ["php", *_QUIET, "-r", _WRITE], input=wanted, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise ConfigError(
            f'unable to write "{path}": {done.stderr.decode(errors="replace").strip()}'
        )
    status = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(done.stdout)
            to_disk(file)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
        Path(name).replace(path)
        names_to_disk(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def texts(config: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts; an empty one where there is none. ConfigError for anything else."""
    value = config.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f'"{name}" is not a list of texts')
    return value


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
