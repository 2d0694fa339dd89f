#!/bin/bash
# A disk as the root: --root IMAGE, here with the smallest system that there is.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

make_image()
{
	mkdir "$work/tree" && (cd "$work/tree" && busybox cpio -id < "$BUILD_DIR/userland.cpio" 2> /dev/null) &&
		rm "$work/tree/sbin/modprobe" && echo disk > "$work/tree/etc/hostname" && truncate -s 64M "$work/image" &&
		mkfs.ext4 -q -F -E root_owner=0:0 -d "$work/tree" "$work/image"
}

root() { kumo --root "$work/image" "$@"; }

whole() { e2fsck -fn "$work/image" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }; }

first()
{
	root -- sh -c 'set -e; hostname; [ "$(stat -f -c %T /)" = ext2/ext3 ]
		grep -q "^/dev/vda / ext4 rw" /proc/mounts; ls -d /proc/1 /sys/kernel /dev/vda > /dev/null
		mkdir -p /home/me; cp /bin/busybox /home/me/copy; cat > /home/me/input; sleep 100 > /home/me/open &' < "$BUILD_DIR/system.cpio" \
		> "$work/out" && [[ $(< "$work/out") == disk ]] && whole
}

second()
{
	root -- cat /home/me/input | cmp - "$BUILD_DIR/system.cpio" && root -- cmp /home/me/copy /bin/busybox
}

# The disk has no modprobe.
modules()
{
	root -- sh -c '! [ -e /sbin/modprobe ] && chroot /run/initramfs modprobe hello && lsmod | grep -q ^hello && mount -t counter none /mnt &&
		[ -e /mnt/ctl ]'
}

terminals() { root -- sh -c 'grep -q "^devpts /dev/pts devpts" /proc/mounts && exec 3<> /dev/ptmx && [ -c /dev/pts/0 ]'; }

with() { root --with "$work/log:/given" --env A=b -- sh -c 'cmp /run/initramfs/given - && [ $A = b ]' < "$work/log"; }

read_only()
{
	root --cmdline ro -- sh -c '! touch /new && grep -q "^/dev/vda / ext4 ro" /proc/mounts' && whole
}

status() { root -- sh -c 'exit 7'; (($? == 7)); }

more_disks()
{
	truncate -s 1M "$work/more" && root --disk "$work/more" -- sh -c '[ $(blockdev --getsize64 /dev/vdb) = 1048576 ]'
}

missing()
{
	truncate -s 1M "$work/empty" && kumo --root "$work/empty" -- true 2> "$work/out"
	local status=$?
	((status == 125)) && grep -q 'init: take as root /dev/vda' "$work/out" || { echo "status $status"; cat "$work/out"; return 1; }
}

plan 9
make_image || exit 1
check 'the disk is the root, and is left clean' first
check 'what was written is there in the next machine' second
check 'modules come from the initramfs, by name and by the kernel' modules
check 'terminals' terminals
check 'what --with brings' with
check 'a root that is read-only' read_only
check 'the exit status' status
check 'more disks beside it' more_disks
check 'a disk that is no root ends the machine' missing
