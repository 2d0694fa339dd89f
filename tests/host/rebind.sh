#!/bin/bash
# The instance of ext4 that serves a mounted disk is replaced under load; afterwards e2fsck finds the disk right. How often:
# $rebind_cycles (20). With blocks of which sizes: $rebind_blocks.
# seconds: 300
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
cycles=${rebind_cycles:-20}
blocks=${rebind_blocks-4096 1024}

replaced() # SIZE: of blocks
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F -b "$1" "$work/disk" || return
	kumo --smp 4 --disk "$work/disk" --with "$BUILD_DIR/tests/rebind:/rebind" -- /rebind "$cycles" ext4 /dev/vda &&
		e2fsck -fn "$work/disk"
}

read -ra sizes <<< "$blocks"
plan $((${#sizes[@]} + ${rebind_checks:-0}))
# shellcheck disable=SC2034 # kumo() reads it
seconds=$((100 + cycles))
for size in "${sizes[@]}"; do
	check "ext4 with blocks of $size bytes is replaced $cycles times, and the disk is right" replaced "$size"
done
