#!/bin/sh
# Makes this Enterprise Linux machine a controller: API, CA, web server. Asks for two names.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh
. resources/controller.sh

as_root
selinuxenabled || { echo "ERROR: SELinux must be enabled before this script runs" >&2 && exit 1; }
ask_names
install_rpms httpd iptables-services mod_ssl openssl php-cli policycoreutils-python-utils \
    python3-cryptography python3-flask python3-mod_wsgi
install_controller
configure_controller
make_certificate
write_site
setsebool -P httpd_can_network_connect 1
for state in /var/lib/vpn-server-api /var/lib/vpn-user-portal; do
    semanage fcontext -a -t httpd_sys_rw_content_t "$state(/.*)?" 2>/dev/null ||
        semanage fcontext -m -t httpd_sys_rw_content_t "$state(/.*)?"
    restorecon -R "$state"
done
systemctl enable "$WEB_SERVICE"
systemctl restart "$WEB_SERVICE"
systemctl enable ${FIREWALL_SERVICES}
controller_firewall
load_firewall
add_users
print_credentials
