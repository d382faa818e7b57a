"""The drop-in API or portal in a process of its own: `controller_server.py ROOT api|portal`.

It stands alone: it is run by path, and finds the software where it is installed, below ROOT. On
the first line it says its port; it serves until it is ended. Eight threads at most are the web
server's on a machine (mod_wsgi); here it is as many as ask.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def main(root: Path, what: str) -> None:
    """Serve on the loopback."""
    sys.path.insert(0, str(root / "usr/share/vpn-drop-in"))
    from werkzeug.exceptions import NotFound
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.serving import WSGIRequestHandler, make_server

    package, mounted = {
        "api": ("vpn_server_api.app", "/vpn-server-api/api.php"),
        "portal": ("vpn_user_portal.app", "/vpn-user-portal"),
    }[what]
    module: Any = __import__(package, fromlist=["create_app"])

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            pass

    application = DispatcherMiddleware(NotFound(), {mounted: module.create_app(root)})
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
