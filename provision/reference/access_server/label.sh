#!/bin/sh
# Labels the programs below DIRECTORY as such, where SELinux is in force: label.sh DIRECTORY
# What lies in /usr/local is data (usr_t) by the policy, and nothing that systemd should start.
set -eu
command -v selinuxenabled >/dev/null && selinuxenabled || exit 0
home=$1
set -- "$home/bin" "$home/libexec" "$home/scripts"
if command -v semanage >/dev/null; then
    every="$home/(bin|libexec|scripts)(/.*)?"
    semanage fcontext -a -t bin_t "$every" 2>/dev/null || semanage fcontext -m -t bin_t "$every"
    restorecon -R "$@"
else
    chcon -R -t bin_t "$@" # until the next relabelling
fi
