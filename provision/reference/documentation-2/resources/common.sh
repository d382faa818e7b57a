# What the deploy scripts have in common. Sourced, never run.

# as_root: everything below changes the machine
as_root() {
    [ "$(id -u)" -eq 0 ] || { echo "ERROR: run this as root" >&2 && exit 1; }
}

# ask PROMPT DEFAULT: prints the answer; no answer, or no more input, is the default
ask() {
    printf '%s [%s]: ' "$1" "$2" >&2
    read -r answer || answer=
    printf '%s\n' "${answer:-$2}"
}

# missing_debs / missing_rpms PACKAGE...: prints the ones that are not installed
missing_debs() {
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
    done
}
missing_rpms() {
    for name in "$@"; do
        rpm -q --quiet --whatprovides "$name" || echo "$name"
    done
}

# install_debs / install_rpms PACKAGE...: asks the network only for what is missing
install_debs() {
    missing=$(missing_debs "$@")
    [ -z "$missing" ] || DEBIAN_FRONTEND=noninteractive apt-get -y install $missing
}
install_rpms() {
    missing=$(missing_rpms "$@")
    [ -z "$missing" ] || yum -y install $missing
}

# run_as USER COMMAND...
run_as() {
    user=$1 && shift
    (cd / && runuser -u "$user" -- "$@") # that user may not enter the folder we are in
}

# update_system: the distribution's packages. What stands in `packages` is this archive's.
update_system() {
    if [ -e /etc/debian_version ]; then
        apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -y upgrade
    else
        yum clean expire-cache && yum -y update
    fi
}

# controller_firewall: SSH and the web server, and nothing else
controller_firewall() {
    mkdir -p "${FIREWALL_IPV4%/*}"
    install -m 0600 resources/controller/iptables "$FIREWALL_IPV4"
    install -m 0600 resources/controller/ip6tables "$FIREWALL_IPV6"
}

# load_firewall: puts what stands in the firewall's files into force
load_firewall() {
    systemctl restart ${FIREWALL_SERVICES}
}
