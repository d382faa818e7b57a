# Turns the tree that mmdebstrap unpacked ($1) into a guest's. Runs as root of its namespace.
set -eu
root=$1
in_guest() { chroot "$root" "$@"; }

# The guides' own steps start what they need; a guest starts nothing else by itself.
for unit in apache2 apache-htcacheclean named openvpn keepalived netfilter-persistent nftables \
    iptables ip6tables cron ssh.socket apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap fstrim.timer man-db.timer logrotate.timer \
    phpsessionclean.timer cloud-init cloud-config cloud-final; do
    in_guest systemctl disable --quiet "$unit" 2>/dev/null || true # not each is in each release
done
# What a boot has no use for here. cloud-init does all of its work in its first stage (the seed
# says `dsmode: local`): each further stage would start Python once more, for nothing.
in_guest systemctl mask --quiet apt-daily.service apt-daily-upgrade.service e2scrub_reap.service \
    e2scrub_all.service systemd-pstore.service cloud-init.service cloud-config.service \
    cloud-final.service cloud-init-hotplugd.socket systemd-networkd-wait-online.service \
    systemd-network-generator.service systemd-firstboot.service getty@tty1.service \
    serial-getty@ttyS0.service getty-static.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-machine-id-commit.service \
    systemd-random-seed.service ldconfig.service systemd-journal-catalog-update.service \
    systemd-hwdb-update.service systemd-ask-password-wall.path systemd-ask-password-console.path \
    networking.service ifupdown-pre.service modprobe@configfs.service modprobe@dm_mod.service \
    modprobe@drm.service modprobe@fuse.service modprobe@loop.service systemd-binfmt.service \
    proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount
in_guest systemctl enable --quiet systemd-networkd.service cloud-init-local.service

# A lab has no archive: to ask for it again and again is 7 s of waiting in each `apt-get update`.
echo 'Acquire::Retries "0";' >"$root/etc/apt/apt.conf.d/99no-archive"

# cloud-init without its generator, whose search for a data source costs seconds without KVM.
mkdir -p "$root/etc/systemd/system-generators" "$root/etc/systemd/system/multi-user.target.wants"
ln -s /dev/null "$root/etc/systemd/system-generators/cloud-init-generator"
ln -s /lib/systemd/system/cloud-init.target "$root/etc/systemd/system/multi-user.target.wants/"
for generator in systemd-cryptsetup-generator systemd-gpt-auto-generator \
    systemd-hibernate-resume-generator systemd-integritysetup-generator \
    systemd-veritysetup-generator systemd-run-generator systemd-rc-local-generator \
    systemd-bless-boot-generator systemd-sysv-generator systemd-debug-generator \
    systemd-system-update-generator openvpn-generator; do
    ln -s /dev/null "$root/etc/systemd/system-generators/$generator"
done
rm -f "$root/etc/systemd/system-generators/openvpn-generator" # the guides start instances with it
rm -rf "$root"/etc/cloud/cloud.cfg.d/*
cat >"$root/etc/cloud/cloud.cfg" <<'CLOUD'
datasource_list: [NoCloud]
datasource:
  NoCloud:
    fs_label: cidata
disable_root: false
preserve_hostname: false
users: []
cloud_init_modules: [write-files, set_hostname, ssh]
cloud_config_modules: []
cloud_final_modules: []
system_info:
  distro: debian
  network:
    renderers: [networkd]
  paths:
    cloud_dir: /var/lib/cloud/
    templates_dir: /etc/cloud/templates/
  ssh_svcname: ssh
log_cfgs:
  - |
    [loggers]
    keys=root,cloudinit
    [handlers]
    keys=file
    [formatters]
    keys=plain
    [logger_root]
    level=INFO
    handlers=file
    # without a name here, the loggers that exist already would be switched off
    [logger_cloudinit]
    level=INFO
    handlers=
    qualname=cloudinit
    [handler_file]
    class=FileHandler
    level=INFO
    formatter=plain
    args=('/var/log/cloud-init.log', 'a', 'UTF-8')
    [formatter_plain]
    format=%(asctime)s %(filename)s %(levelname)s %(message)s
CLOUD

# A login must not wait for names to be looked up: the lab's DNS may be what is broken.
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'SSHD'
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
PrintMotd no
PrintLastLog no
MaxSessions 64
MaxStartups 64
SSHD
sed -i '/pam_motd\|pam_mail\|pam_lastlog/d' "$root/etc/pam.d/sshd" "$root/etc/pam.d/login"

# A cut wire shows in the frames that do not arrive, and networkd must not tidy up after ucarp.
mkdir -p "$root/etc/systemd/networkd.conf.d" "$root/etc/systemd/journald.conf.d" \
    "$root/etc/systemd/system.conf.d"
printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' \
    >"$root/etc/systemd/networkd.conf.d/lab.conf"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nForwardToConsole=no\nRateLimitBurst=0\n' \
    >"$root/etc/systemd/journald.conf.d/lab.conf"
# Five guests that boot at once on two slow cores are late, not broken.
printf '[Manager]\nDefaultTimeoutStartSec=300\nDefaultTimeoutStopSec=30\n' \
    >"$root/etc/systemd/system.conf.d/lab.conf"

# Addresses are the seed's; QEMU's user networking would advertise another one. networkd listens to
# advertisements by itself, and cloud-init's renderer has no word for not doing so.
printf 'net.ipv6.conf.default.accept_ra = 0\nnet.ipv6.conf.all.accept_ra = 0\n' \
    >"$root/etc/sysctl.d/50-lab.conf"
for nic in mgmt0 wire0 wire1; do
    mkdir -p "$root/usr/lib/systemd/network/10-cloud-init-$nic.network.d"
    printf '[Network]\nIPv6AcceptRA=no\n' \
        >"$root/usr/lib/systemd/network/10-cloud-init-$nic.network.d/lab.conf"
done

# A guest reaches no public web site, and each public authority costs update-ca-certificates more
# than a second without KVM. So the guest trusts nobody until the lab's own authority is added.
echo '# none of /usr/share/ca-certificates: the guest reaches no public web site' \
    >"$root/etc/ca-certificates.conf"
in_guest update-ca-certificates --fresh >/dev/null

echo 'LANG=C.UTF-8' >"$root/etc/default/locale"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
echo 'Etc/UTC' >"$root/etc/timezone"
echo '/dev/vda / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
echo 'localhost' >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"

# Every guest gets its own identity from its seed.
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"
in_guest passwd --quiet --lock root

rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
    "$root"/var/log/apt/* "$root"/etc/apt/apt.conf.d/99mmdebstrap
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"

# Kernel and initial RAM disk lie beside the disk: the guest is started with them directly. All
# that the RAM disk has to do is find /dev/vda; Debian's own would start udev for that, which
# costs seconds without KVM.
release=$(basename "$root"/lib/modules/*)
tree=$(mktemp -d "$root/tmp/initrd.XXXXXX")
mkdir "$tree/dev" "$tree/root" "$tree/bin"
cp "$root/bin/busybox" "$tree/bin/busybox"
{
    echo '#!/bin/busybox sh'
    echo '/bin/busybox mount -t devtmpfs devtmpfs /dev'
    # one call for all of them prints what they have in common once each: the first is loaded
    in_guest modprobe --set-version "$release" --all --show-depends virtio_pci virtio_blk |
        while read -r _ module _; do
            cp "$root$module" "$tree/"
            echo "/bin/busybox insmod /$(basename "$module") 2>/dev/null"
        done
    echo 'until [ -b /dev/vda ]; do :; done'
    echo '/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root'
    echo '/bin/busybox mount --move /dev /root/dev'
    echo 'exec /bin/busybox switch_root /root /sbin/init'
} >"$tree/init"
chmod 755 "$tree/init"
in_guest sh -c "cd /tmp/$(basename "$tree") && find . | cpio --quiet -o -H newc" >"$root/initrd"
rm -r "$tree"
mv "$root"/boot/vmlinuz-* "$root/kernel"
rm -f "$root"/boot/initrd.img-* "$root"/vmlinuz* "$root"/initrd.img*
