#!/bin/sh
# Makes this Debian machine a controller: API, CA, web server. Asks for two names.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh
. resources/controller.sh

as_root
ask_names
install_debs apache2 iptables-persistent libapache2-mod-wsgi-py3 openssl php-cli python3-cryptography python3-flask
install_controller
configure_controller
make_certificate
write_site
a2enmod -q headers ssl wsgi
a2enconf -q vpn-server-api vpn-user-portal
a2dissite -q 000-default
a2ensite -q "$WEB_FQDN"
systemctl enable "$WEB_SERVICE"
systemctl restart "$WEB_SERVICE"
controller_firewall
load_firewall
add_users
print_credentials
