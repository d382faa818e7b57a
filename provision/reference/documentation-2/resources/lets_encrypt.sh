# A certificate of Let's Encrypt for the web server, once certbot is there. Sourced, never run.
# Before: common.sh and platform.sh.

lets_encrypt() {
    WEB_FQDN=$(ask "DNS name of the Web Server" "$(hostname -f)")
    case $WEB_FQDN in
    '' | *[!a-zA-Z0-9.-]* | .* | -*) echo "ERROR: \"$WEB_FQDN\" is not a DNS name" >&2 && exit 1 ;;
    esac
    site=$SITES/$WEB_FQDN.conf
    [ -e "$site" ] || {
        echo "ERROR: there is no $site: deploy the controller under this name first" >&2
        exit 1
    }
    # certbot listens in the web server's place: now, and each time it renews
    systemctl stop "$WEB_SERVICE"
    failed=0
    certbot certonly --standalone -d "$WEB_FQDN" --pre-hook "systemctl stop $WEB_SERVICE" \
        --post-hook "systemctl start $WEB_SERVICE" || failed=1
    [ "$failed" -ne 0 ] || use_certificate "/etc/letsencrypt/live/$WEB_FQDN"
    systemctl start "$WEB_SERVICE"
    [ "$failed" -eq 0 ] || echo "ERROR: the certificate stays as it was: see above" >&2
    exit "$failed"
}

# use_certificate DIRECTORY: the site shows the certificate that certbot keeps there
use_certificate() {
    sed -i -e "s|^\( *SSLCertificateFile \).*|\1$1/fullchain.pem|" \
        -e "s|^\( *SSLCertificateKeyFile \).*|\1$1/privkey.pem|" "$site"
}
