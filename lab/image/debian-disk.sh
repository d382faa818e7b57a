# Makes the guest's file system from the tree ($1) in $DISK, which names an open file
# (/proc/self/fd/N): for an ordinary user, the root of mmdebstrap's namespace may write to what
# is open, but can reach no directory of that user's.
set -eu
root=$1
rm "$root/kernel" "$root/initrd"
# A bind mount leaves out what is mounted below: /proc, /sys and /dev of this namespace.
bare=$(mktemp -d /tmp/bare.XXXXXX)
mount --bind "$root" "$bare"
mke2fs -q -F -t ext4 -L root -m 0 -E lazy_itable_init=1,root_owner=0:0 \
    -O ^metadata_csum,^64bit -d "$bare" "$DISK" "${SIZE_GIB}G"
umount "$bare"
rmdir "$bare"
