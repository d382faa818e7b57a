#!/bin/sh
# OpenVPN clients on one machine, each in a network namespace of its own with an address, a MAC and
# a resolver of its own, as if each were a machine on the wire:
#
#     vpn-clients connect NAME...     files by stdin, a tar: NAME/client.ovpn, NAME/identity, and
#                                     NAME/login where the profile asks for user and password
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
    if links "$@"; then
        for name in "$@"; do
            namespace "$name" && start "$name" && continue
            echo "$name could not be started; none of these is: $*" >&2
            disconnect "$@"
            exit 1
        done
        return
    fi
    echo "no networks could be made for any of these: $*" >&2
    disconnect "$@"
    exit 1
}

# The links get their name inside: outside, where they are made, that name is taken.
links() {
    mkdir -p /etc/netns
    (cd /etc/netns && mkdir -p "$@")
    for name in "$@"; do
        read -r ipv4 ipv6 mac nameserver <"$run/$name/identity"
        : >"/etc/netns/$name/resolv.conf"
        [ "$nameserver" = - ] || echo "nameserver $nameserver" >"/etc/netns/$name/resolv.conf"
        echo "netns add $name"
        echo "link add link $wire name client0 address $mac netns $name type macvlan mode bridge"
    done | ip -batch -
}

# Without a network on it, only a default route over it: once the tunnel is up, everything
# but the node itself goes through it, the neighbours on the wire included.
namespace() {
    read -r ipv4 ipv6 mac nameserver <"$run/$1/identity"
    {
        echo "link set lo up"
        echo "link set client0 name $wire"
        echo "address add $ipv4/32 dev $wire"
        echo "link set $wire up"
        echo "route add default dev $wire src $ipv4"
        [ "$ipv6" = - ] || echo "address add $ipv6/128 dev $wire nodad"
        [ "$ipv6" = - ] || echo "route add ::/0 dev $wire src $ipv6"
    } | ip -n "$1" -batch -
}

# The login is a file of its own: OpenVPN reads one within a profile from 2.6 on, EPEL 9 has 2.5.
start() {
    name=$1
    set --
    [ ! -e "$run/$name/login" ] || set -- --auth-user-pass login
    ip netns exec "$name" openvpn --cd "$run/$name" --config client.ovpn "$@" \
        --connect-retry 1 5 --status status 2 --writepid pid --log-append "$logs/$name.log" \
        --daemon "vpn-$name"
}

# tell LINES NAME...: each client's state, and with LINES the end of its log, by one program,
# which costs an emulated machine more than what it does. The log is the one thing that tells
# "up" from "up until just now"; one who is not connected is down, whatever it says. $addresses
# has a line for each address of a tunnel: NAME ADDRESS.
tell() {
    lines=$1
    shift
    for name in "$@"; do
        [ -d "$run/$name" ] && echo "$name yes" || echo "$name no"
    done | addresses=${addresses-} awk -v logs="$logs" -v lines="$lines" '
        BEGIN {
            count = split(ENVIRON["addresses"], words)
            for (i = 1; i < count; i += 2)
                inside[words[i]] = inside[words[i]] "address " words[i + 1] "\n"
        }
        {
            log_file = logs "/" $1 ".log"; up = 0; remote = "-"; read = 0
            while ((getline text < log_file) > 0) {
                kept[++read % 15] = text
                if (text ~ /Peer Connection Initiated with /) {
                    remote = text; sub(/.* with /, "", remote); sub(/ .*/, "", remote)
                }
                if (text ~ /Initialization Sequence Completed/) up = 1
                if (text ~ /process restarting|process exiting|Exiting due to fatal error/) up = 0
            }
            close(log_file)
            if ($2 == "no") { up = 0; remote = "-" }
            said = $1 " " (up ? "up" : "down") " " remote
            if (!lines) { if (read) print said; next }
            printf "client %s\n%s", said, inside[$1]
            for (i = read > 15 ? read - 14 : 1; i <= read; i++) print "log " kept[i % 15]
        }
    '
}

state() {
    set -- "$run"/*/
    [ -e "$1" ] || return 0
    for directory in "$@"; do
        name=${directory%/}
        set -- "$@" "${name##*/}"
        shift
    done
    tell "" "$@"
}

status() {
    addresses=$(
        for name in "$@"; do
            ip -n "$name" -o address show dev tun0 scope global 2>/dev/null |
                while read -r _ _ _ address _; do echo "$name $address"; done || true
        done
    )
    tell yes "$@"
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
    pids=
    for name in "$@"; do
        pid=
        [ ! -e "$run/$name/pid" ] || read -r pid <"$run/$name/pid" || true
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
        pids="$pids $pid"
    done
    for pid in $pids; do end "$pid"; done
    for name in "$@"; do
        [ ! -e "/run/netns/$name" ] || echo "netns delete $name"
    done | ip -force -batch -
    for name in "$@"; do
        set -- "$@" "${run:?}/$name" "/etc/netns/$name"
        shift
    done
    rm -rf "$@"
}

# end PID: it gets 15 seconds to say good-bye
end() {
    tries=75
    while [ "$tries" -gt 0 ]; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.2
        tries=$((tries - 1))
    done
    kill -KILL "$1" 2>/dev/null || true
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
connect | state | status | disconnect) "$command" "$@" ;;
ping) ping_each "$@" ;;
*) echo "usage: vpn-clients connect|state|status|ping|disconnect [NAME...]" >&2 && exit 2 ;;
esac
