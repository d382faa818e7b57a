#!/bin/sh
# Updates this controller; nobody can connect to a node meanwhile. Stop the nodes first: a
# disconnect that happens while the API is away is never logged.
set -eu
cd "$(dirname "$0")/.."
. resources/common.sh
. resources/platform.sh

as_root
systemctl stop "$WEB_SERVICE"
failed=0
update_system || failed=1
packages/install vpn-ca vpn-server-api vpn-user-portal || failed=1
systemctl start "$WEB_SERVICE"
[ "$failed" -eq 0 ] || echo "WARNING: not everything was updated: see above" >&2
exit "$failed"
