# What Debian and Enterprise Linux call things differently. Sourced, never run; `root` may be set.
if [ -e "${root:-}/etc/debian_version" ] || { [ -n "${root:-}" ] && [ -e /etc/debian_version ]; }; then
    WEB_USER=www-data
    WEB_GROUP=www-data
    WEB_SERVICE=apache2
    SNIPPETS=/etc/apache2/conf-available
    SITES=/etc/apache2/sites-available
    CERTIFICATES=/etc/ssl/certs
    KEYS=/etc/ssl/private
    VPN_USER=nobody
    VPN_GROUP=nogroup
    HOOKS=/usr/lib/vpn-server-node
else
    WEB_USER=apache
    WEB_GROUP=apache
    WEB_SERVICE=httpd
    SNIPPETS=/etc/httpd/conf.d
    SITES=/etc/httpd/conf.d
    CERTIFICATES=/etc/pki/tls/certs
    KEYS=/etc/pki/tls/private
    VPN_USER=openvpn
    VPN_GROUP=openvpn
    HOOKS=/usr/libexec/vpn-server-node
fi
