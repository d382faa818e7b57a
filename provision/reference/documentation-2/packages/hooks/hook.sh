#!/bin/sh
# OpenVPN's client-connect and client-disconnect: asks the controller whether the client may come,
# or tells it that it has gone. With curl and not by an interpreter, since OpenVPN serves nobody
# meanwhile. What curl needs is kept by vpn-server-node-server-config (see vpn_server_node's
# curl_config); where that is out of date, or something is missing, the program of the same name
# in `alone` does it all by itself, and an answer other than plain yes is judged by its `judge`.
name=${0##*/}
call=${name#client-}
root=${0%/usr/*}
kept=$root/etc/vpn-server-node/hooks
alone=${0%/*}/alone
newline='
'

# numbers NUMBER...: whether the shell reads them as everybody does
numbers() {
    for number; do
        case $number in
        '' | *[!0-9]* | 0?*) return 1 ;;
        esac
    done
}

given=${PROFILE_ID+1}${common_name+1}${time_unix+1}${ifconfig_pool_remote_ip+1}
[ "$given${ifconfig_pool_remote_ip6+1}" = 11111 ] || exec "$alone/$name"
set -- "profile_id=$PROFILE_ID" "common_name=$common_name" "ip4=$ifconfig_pool_remote_ip" \
    "ip6=$ifconfig_pool_remote_ip6" "connected_at=$time_unix"
if [ "$call" = disconnect ]; then
    numbers "$time_unix" "$time_duration" "$bytes_received" "$bytes_sent" || exec "$alone/$name"
    set -- "$@" "disconnected_at=$((time_unix + time_duration))" \
        "bytes_transferred=$((bytes_received + bytes_sent))"
fi
cmp -s "$root/etc/vpn-server-node/config.php" "$kept/config.php" || exec "$alone/$name"

for field; do
    set -- "$@" --data-urlencode "$field"
    shift
done
answer=$(curl -q --config "$kept/$name" "$@" 2>&1)
case $? in
0) ;;
2 | 26 | 77 | 126 | 127) exec "$alone/$name" ;; # a curl that cannot: nothing was asked
*)
    reason=${answer##*curl: }
    reason=${reason%%"$newline"*}
    text="failure performing the HTTP request: \"${reason#(*) }\""
    logger -t "$name" -p user.err -- "$text" 2>/dev/null
    echo "$name: $text" >&2
    exit 1
    ;;
esac
[ "$answer" != "{\"$call\":{\"ok\":true}}${newline}200" ] || exit 0
printf '%s' "$answer" | "$alone/judge" "$name"
