#!/bin/bash
# The instance of ext4 that serves a mounted disk is replaced under load; afterwards e2fsck finds the disk right. How often:
# $rebind_cycles (20).
# seconds: 300
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
cycles=${rebind_cycles:-20}

replaced() # OPTION...: of mkfs.ext4
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F "$@" "$work/disk" || return
	kumo --smp 4 --disk "$work/disk" --with "$BUILD_DIR/tests/rebind:/rebind" -- /rebind "$cycles" ext4 /dev/vda &&
		e2fsck -fn "$work/disk"
}

plan ${rebind_checks:-2}
# shellcheck disable=SC2034 # kumo() reads it
seconds=$((100 + cycles))
check "ext4 is replaced $cycles times, and the disk is right" replaced
check "ext4 with blocks of 1 KiB is replaced $cycles times, and the disk is right" replaced -b 1024
