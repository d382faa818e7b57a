"""Where this software is installed: the root every absolute path of it starts from.

Installed on a machine the root is ``/``. Installed into another folder (a test's), it is that
folder, found from where this file lies: nothing in the environment can redirect a program.
"""

from __future__ import annotations

from pathlib import Path

# ROOT/usr/share/vpn-drop-in/vpn_lib_common/installation.py
ROOT = Path(__file__).resolve().parents[4]
