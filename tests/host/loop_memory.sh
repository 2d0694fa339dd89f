#!/bin/bash
# A filesystem on a loop on a filesystem, in little memory: who writes to the inner one makes more pages dirty than there may be, and only
# the loop, which makes pages of the outer one dirty, brings them to the disk.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)") || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

written()
{
	mkdir "$work/source" && truncate -s 64M "$work/source/inner" && mkfs.ext4 -q -F -t ext2 "$work/source/inner" &&
		truncate -s 200M "$work/disk" && mkfs.ext4 -q -F -d "$work/source" "$work/disk" || return
	seconds=200 kumo --mem 80M --disk "$work/disk" -- sh -ec 'mkdir /m; mount -t ext4 /dev/vda /m; modprobe loop; losetup -f /m/inner
		mount -t ext2 /dev/loop0 /n; dd if=/dev/zero of=/n/big bs=1M count=48 2> /dev/null; umount /n; losetup -d /dev/loop0; umount /m' &&
		e2fsck -fn "$work/disk" > "$work/log" 2>&1 && debugfs -R "dump /inner $work/inner" "$work/disk" 2> /dev/null &&
		e2fsck -fn "$work/inner" >> "$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

plan 1
check 'the inner filesystem is written' written
