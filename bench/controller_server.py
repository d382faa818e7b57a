"""The drop-in API or portal in a process of its own: `controller_server.py ROOT api|portal`.

It stands alone: it is run by path, and finds the software where it is installed, below ROOT. On
the first line it says its port; it serves until it is ended. Eight threads answer, as on a machine
(mod_wsgi), whose web server is not here.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

_THREADS = 8


def main(root: Path, what: str) -> None:
    """Serve on the loopback."""
    sys.path.insert(0, str(root / "usr/share/vpn-drop-in"))
    from werkzeug.exceptions import NotFound
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

    package, mounted = {
        "api": ("vpn_server_api.app", "/vpn-server-api/api.php"),
        "portal": ("vpn_user_portal.app", "/vpn-user-portal"),
    }[what]
    module: Any = __import__(package, fromlist=["create_app"])

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            pass

    class Pooled(BaseWSGIServer):
        multithread = True

        def process_request(
            self, request: socket | tuple[bytes, socket], client_address: object
        ) -> None:
            pool.submit(self.answer, request, client_address)

        def answer(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
            with suppress(OSError):  # who asked has gone
                self.finish_request(request, client_address)
            self.shutdown_request(request)

    application = DispatcherMiddleware(NotFound(), {mounted: module.create_app(root)})
    server = Pooled("127.0.0.1", 0, application, Quiet)
    print(server.server_port, flush=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
