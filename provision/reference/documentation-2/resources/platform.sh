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
    FIREWALL_IPV4=/etc/iptables/rules.v4
    FIREWALL_IPV6=/etc/iptables/rules.v6
    FIREWALL_SERVICES=netfilter-persistent
    DAEMON=/usr/sbin/vpn-daemon
    DAEMON_ENVIRONMENT=/etc/default/vpn-daemon
    DAEMON_KEYS=/etc/ssl/vpn-daemon
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
    FIREWALL_IPV4=/etc/sysconfig/iptables
    FIREWALL_IPV6=/etc/sysconfig/ip6tables
    FIREWALL_SERVICES="iptables ip6tables"
    DAEMON=/usr/bin/vpn-daemon
    DAEMON_ENVIRONMENT=/etc/sysconfig/vpn-daemon
    DAEMON_KEYS=/etc/pki/vpn-daemon
fi
