#!/bin/sh
# OpenVPN clients on one machine, each in a network namespace of its own with an address, a MAC and
# a resolver of its own, as if each were a machine on the wire:
#
#     vpn-clients connect NAME...     files by stdin, a tar: NAME/client.ovpn, NAME/identity
#     vpn-clients state               a line a client: NAME up|down REMOTE
#     vpn-clients status NAME...      state, tunnel addresses and the end of the log of each
#     vpn-clients ping NAME ADDRESS [NAME ADDRESS]...    a line each: NAME yes|no
#     vpn-clients disconnect NAME...  ends them cleanly and removes their namespaces
#
# identity is one line: IPv4 IPv6 MAC NAMESERVER; "-" for an IPv6 address or a name server that
# there is none of. Logs stay in /var/log/vpn-clients/NAME.log.
set -eu
run=/run/vpn-clients
logs=/var/log/vpn-clients
wire=wire0

connect() {
    mkdir -p -m 0700 "$run" "$logs"
    for name in "$@"; do
        [ ! -e "/run/netns/$name" ] || { echo "$name is connected already" >&2 && exit 1; }
    done
    tar -C "$run" --no-same-owner -xf -
    for name in "$@"; do
        namespace "$name" && start "$name" && continue
        echo "$name could not be started; none of these is: $*" >&2
        disconnect "$@"
        exit 1
    done
}

# The link gets its name inside: outside, where it is made, that name is taken.
# Without a network on it, only a default route over it: once the tunnel is up, everything
# but the node itself goes through it, the neighbours on the wire included.
namespace() {
    read -r ipv4 ipv6 mac nameserver <"$run/$1/identity"
    mkdir -p "/etc/netns/$1"
    : >"/etc/netns/$1/resolv.conf"
    [ "$nameserver" = - ] || echo "nameserver $nameserver" >"/etc/netns/$1/resolv.conf"
    ip -batch - <<BATCH || return 1
netns add $1
link add link $wire name client0 address $mac netns $1 type macvlan mode bridge
BATCH
    ip -n "$1" -batch - <<BATCH
link set lo up
link set client0 name $wire
address add $ipv4/32 dev $wire
link set $wire up
route add default dev $wire src $ipv4
BATCH
    [ "$ipv6" = - ] || ip -n "$1" -batch - <<BATCH
address add $ipv6/128 dev $wire nodad
route add ::/0 dev $wire src $ipv6
BATCH
}

start() {
    ip netns exec "$1" openvpn --cd "$run/$1" --config client.ovpn --connect-retry 1 5 \
        --status status 2 --writepid pid --log-append "$logs/$1.log" --daemon "vpn-$1"
}

# The log is the one thing that tells "up" from "up until just now".
state() {
    set -- "$run"/*/
    [ -e "$1" ] || return 0
    for directory in "$@"; do
        name=$(basename "$directory")
        [ ! -e "$logs/$name.log" ] || set -- "$@" "$logs/$name.log"
        shift
    done
    [ $# -eq 0 ] || awk '
        function tell() { if (name != "") print name, up ? "up" : "down", remote }
        FNR == 1 {
            tell(); up = 0; remote = "-"; name = FILENAME
            sub(/.*\//, "", name); sub(/\.log$/, "", name)
        }
        /Peer Connection Initiated with / {
            remote = $0; sub(/.* with /, "", remote); sub(/ .*/, "", remote)
        }
        /Initialization Sequence Completed/ { up = 1 }
        /process restarting|process exiting|Exiting due to fatal error/ { up = 0 }
        END { tell() }
    ' "$@"
}

status() {
    states=$(state)
    for name in "$@"; do
        echo "client $(echo "$states" | grep "^$name " || echo "$name down -")"
        ip -n "$name" -o address show dev tun0 scope global 2>/dev/null |
            awk '{ print "address " $4 }' || true
        tail -n 15 "$logs/$name.log" 2>/dev/null | sed 's/^/log /'
    done
}

ping_each() {
    while [ $# -ge 2 ]; do
        {
            if ip netns exec "$1" ping -n -q -c 1 -W 3 "$2" >/dev/null 2>&1; then
                echo "$1 yes"
            else
                echo "$1 no"
            fi
        } &
        shift 2
    done
    wait
}

disconnect() {
    for name in "$@"; do
        [ ! -e "$run/$name/pid" ] || kill "$(cat "$run/$name/pid")" 2>/dev/null || true
    done
    for name in "$@"; do
        [ ! -e "$run/$name/pid" ] || end "$(cat "$run/$name/pid")"
        [ ! -e "/run/netns/$name" ] || ip netns delete "$name"
        rm -rf "${run:?}/$name" "/etc/netns/$name"
    done
}

# end PID: it gets 15 seconds to say good-bye
end() {
    timeout 15 tail --pid="$1" -s 0.1 -f /dev/null || kill -KILL "$1" 2>/dev/null || true
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
connect | state | status | disconnect) "$command" "$@" ;;
ping) ping_each "$@" ;;
*) echo "usage: vpn-clients connect|state|status|ping|disconnect [NAME...]" >&2 && exit 2 ;;
esac
