# Deploying a controller, once the distribution's packages are there. Sourced, never run.
# Before: common.sh, platform.sh, and WEB_FQDN and VPN_FQDN from `ask_names`.

ask_names() {
    WEB_FQDN=$(ask "DNS name of the Web Server" "$(hostname -f)")
    VPN_FQDN=$(ask "DNS name of the OpenVPN Server" "$WEB_FQDN")
    for name in "$WEB_FQDN" "$VPN_FQDN"; do
        case $name in
        '' | *[!a-zA-Z0-9.-]* | .* | -*) echo "ERROR: \"$name\" is not a DNS name" >&2 && exit 1 ;;
        esac
    done
}

install_controller() {
    packages/install vpn-ca vpn-server-api vpn-user-portal
}

# A self-signed certificate, for as long as it takes to get a better one into the same files.
make_certificate() {
    CERTIFICATE=$CERTIFICATES/$WEB_FQDN.crt
    KEY=$KEYS/$WEB_FQDN.key
    [ -e "$CERTIFICATE" ] && return
    (umask 077 && openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days 90 \
        -subj "/CN=$WEB_FQDN" -addext "subjectAltName=DNS:$WEB_FQDN" \
        -keyout "$KEY" -out "$CERTIFICATE" 2>/dev/null)
    chmod 0644 "$CERTIFICATE"
}

write_site() {
    sed -e "s|@FQDN@|$WEB_FQDN|g" -e "s|@CERTIFICATE@|$CERTIFICATE|" -e "s|@KEY@|$KEY|" \
        resources/site.conf >"$SITES/$WEB_FQDN.conf"
}

# Once: a second deploy on the same machine keeps the ranges, the CA and the secrets that the
# nodes know.
configure_controller() {
    if [ ! -e /var/lib/vpn-server-api/db.sqlite ]; then
        vpn-server-api-update-ip --profile internet --host "$VPN_FQDN"
        vpn-server-api-update-api-secrets
        run_as "$WEB_USER" vpn-server-api-init
    fi
    [ -e /var/lib/vpn-user-portal/db.sqlite ] || run_as "$WEB_USER" vpn-user-portal-init
}

# Passwords go by stdin: a command line is readable by every user of the machine.
add_users() {
    USER_PASS=$(new_password)
    ADMIN_PASS=$(new_password)
    printf '%s\n' "$USER_PASS" | run_as "$WEB_USER" vpn-user-portal-add-user --user demo
    printf '%s\n' "$ADMIN_PASS" | run_as "$WEB_USER" vpn-user-portal-add-user --user admin
}

new_password() {
    python3 -c 'import secrets, string; print("".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12)))'
}

print_credentials() {
    cat <<BOX
########################################################################
# Portal
#       https://$WEB_FQDN/
#           Regular User: demo
#           Regular User Pass: $USER_PASS
#
#           Admin User: admin
#           Admin User Pass: $ADMIN_PASS
########################################################################
BOX
}
