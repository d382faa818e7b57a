#!/bin/sh
# Downloads a client configuration from the portal as a user does: logs in, chooses a profile.
#
#     portal-download URL USER PROFILE WEB_USER > USER.ovpn
#
# The user is made first, with a password that nobody else gets to know, by whom the web server runs
# as: the portal's database is that one's.
set -eu
url=$1 user=$2 profile=$3 web_user=$4
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT

password=$(pwgen -s 24 -n 1)
cd /
printf '%s\n%s\n' "$password" "$password" |
    sudo -u "$web_user" vpn-user-portal-add-user --user "$user" >/dev/null 2>&1

# both answers to a wrong password and to a right one are no error to curl: a right one redirects
printf '%s' "$password" >"$kept/password"
status=$(curl -sS -o "$kept/answer" -w '%{http_code}' -c "$kept/cookies" \
    --data-urlencode "userName=$user" --data-urlencode "userPass@$kept/password" \
    --data-urlencode "_form_auth_redirect_to=$url" "${url}_form/auth/verify")
[ "$status" = 302 ] || { echo "$user was not let in: HTTP $status" >&2 && exit 1; }

status=$(curl -sS -o "$kept/profile" -w '%{http_code}' -b "$kept/cookies" -c "$kept/cookies" \
    --data-urlencode "profileId=$profile" --data-urlencode "displayName=laptop" \
    "${url}configurations")
grep -q '^remote ' "$kept/profile" || {
    echo "$user got no configuration of $profile: HTTP $status" >&2
    exit 1
}
cat "$kept/profile"
