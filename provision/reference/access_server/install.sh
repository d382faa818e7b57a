#!/bin/sh
# Installs the drop-in failover software from the folder this script lies in. No network needed.
#   install.sh [--root DIR]      DIR: install below it and leave systemd alone (for trying it out)
# Safe to run again: configuration in etc/ stays as it is.
set -eu

root=
case "${1:-}" in
--root) root=${2:?--root needs a directory} ;;
"") ;;
*) echo "usage: install.sh [--root DIR]" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3

fail() { echo "install.sh: $1" >&2; exit 1; }

if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail "must be run as root"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || fail "needs Python 3.9 or newer"
    for module in flask cryptography; do
        "$python" -c "import $module" 2>/dev/null || fail "needs the package python3-$module"
    done
    for program in openvpn ip ssh stdbuf curl; do
        command -v "$program" >/dev/null || fail "needs $program"
    done
    # rsync is not asked for: the guide installs it, and Validate shows where it is missing
    command -v ucarp >/dev/null || command -v keepalived >/dev/null ||
        fail "needs ucarp, or keepalived (then set failover.engine to keepalived)"
fi

home=$root/usr/local/openvpn_as
umask 022
mkdir -p "$home" "$root/usr/bin" "$root/var/log"
for part in scripts bin libexec; do
    rm -rf "${home:?}/$part.new"
    cp -R "$here/$part" "$home/$part.new"
    chmod -R go-w "$home/$part.new"
    rm -rf "${home:?}/$part"
    mv "$home/$part.new" "$home/$part"
done
rm -rf "$home/lib.new"
mkdir -p "$home/lib.new/openvpnas"
cp "$here"/openvpnas/*.py "$home/lib.new/openvpnas/"
rm -rf "$home/lib"
mv "$home/lib.new" "$home/lib"
mkdir -p "$home/etc"
chmod 700 "$home/etc"
chmod 755 "$home"/scripts/* "$home"/bin/* "$home"/libexec/* "$home"/libexec/alone/*
ln -sfn /usr/local/openvpn_as/bin/ovpn-init "$root/usr/bin/ovpn-init"
if [ -z "$root" ]; then
    "$python" -m compileall -q "$home/lib" # programs are started where no service runs
    install -m 644 "$here/systemd/openvpnas.service" /etc/systemd/system/openvpnas.service
    if command -v restorecon >/dev/null; then restorecon -R "$home" /etc/systemd/system/openvpnas.service; fi
    sh "$here/label.sh" "$home"
    systemctl daemon-reload
fi
echo "Installed in $home. Next: ovpn-init (primary) or ovpn-init --secondary."
