#!/bin/bash
# Who works on a disk is killed at any moment: while he makes, moves and removes names, writes out, and lets go of a file without a name.
# What he had begun is made whole: the volume goes on to be written, and the format's own check finds nothing.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)") || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

gcc -O2 -Wall -static -o "$work/disk_load" "$ROOT/tests/host/disk_load.c" || exit 1
# The caches are emptied again and again, so that there is something to wait for.
cat > "$work/run.sh" <<'END'
type=$1 i=0
mkdir /m && mount -t $type /dev/vda /m && mkdir /m/a /m/b || exit
while [ $i -lt 40 ]; do
	i=$((i + 1))
	disk_load /m $i > /dev/null 2>&1 &
	usleep $((i % 7 * 9000 + 3000))
	kill -9 $!; wait $! 2> /dev/null
	[ $((i % 4)) = 0 ] && { umount /m && mount -t $type /dev/vda /m || exit; }
done
sync && echo still > /m/written && [ "$(cat /m/written)" = still ] && umount /m && ! dmesg | grep -E 'damaged|cannot be|could not be|is lost|aborted'
END

killed() # CHECK TYPE MKFS...
{
	local check=$1 type=$2
	shift 2
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && "$@" "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	kumo --disk "$work/disk" --with "$work/disk_load" --with "$work/run.sh:/run.sh" -- sh /run.sh "$type" > "$work/out" 2>&1 ||
		{ cat "$work/out"; return 1; }
	$check "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

plan 4
check 'ext4 with small blocks' killed 'e2fsck -fn' ext4 mkfs.ext4 -q -F -b 1024
check 'ext4' killed 'e2fsck -fn' ext4 mkfs.ext4 -q -F -b 4096
check 'ext2' killed 'e2fsck -fn' ext2 mkfs.ext4 -q -F -t ext2 -b 1024
check 'FAT' killed 'fsck.vfat -n' vfat mkfs.vfat
