"""Where mod_wsgi finds the portal: the name ``application``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "vpn-drop-in"))

from vpn_user_portal.app import create_app  # noqa: E402 - the path has to come first

application = create_app()
