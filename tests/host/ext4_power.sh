#!/bin/bash
# Power cuts of a guest that writes to ext4: QEMU's blklogwrites driver logs what reaches its disk, and a disk is made of the log as it may
# be when the power goes, at many points (docs/ext4.md). Kumo's own ext4 replays the journal, as a program at all points and in a guest
# at some; only then e2fsck looks. What fsync had promised must be there.
# seconds: 600
[[ $BUILD == release ]] || exit 77
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
load_seconds=${load_seconds:-5} points=${points:-30} guest_points=${guest_points:-4}
tool=$ROOT/build/host/ext4-tool
seed=${seed:-$RANDOM}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

# What a mount does and undoes, on every disk there is.
cat > "$work/replay.sh" <<-'END'
	mkdir -p /m
	for disk in /dev/vd?; do
		mount -t ext4 $disk /m && umount /m || exit 1
	done
END

# A guest writes for a while. The last 64 KiB of the disk are for its marks.
record() # OPTION...
{
	rm -f "$work"/disk* && truncate -s 32M "$work/disk" && truncate -s 4G "$work/log" || return
	mkfs.ext4 -q -F "$@" "$work/disk" 32704K && cp "$work/disk" "$work/before" || return
	seconds=200 kumo --with "$work/load" --qemu "-drive if=none,id=logged,driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=$work/disk,file.cache.no-flush=on,log.driver=raw,log.file.driver=file,log.file.filename=$work/log,log.cache.no-flush=on -device virtio-blk-pci,drive=logged" -- \
		sh -ec "modprobe virtio_blk; mkdir /m; mount -t ext4 /dev/vda /m; cd /m; load /dev/vda $load_seconds $seed; cd /; umount /m" &&
		e2fsck -fn "$work/disk" > "$work/fsck" 2>&1 || { cat "$work/fsck"; return 1; }
}

replayed() # FIRST LAST: disks of these points, each mounted by the guest
{
	local n disks=()
	for ((n = $1; n <= $2; n++)); do
		"$tool" cut "$work/before" "$work/log" "$seed" "$guest_points" "$n" "$work/cut$n" || return
		disks+=(--disk "$work/cut$n")
	done
	seconds=200 kumo "${disks[@]}" --with "$work/replay.sh:/replay.sh" -- sh /replay.sh || return
	for ((n = $1; n <= $2; n++)); do
		e2fsck -fn "$work/cut$n" > "$work/fsck" 2>&1 || { cat "$work/fsck"; return 1; }
		"$tool" stable "$work/before" "$work/log" "$seed" "$guest_points" "$n" "$work/cut$n" || return
	done
}

replays()
{
	local first
	for ((first = 0; first < guest_points; first += 10)); do
		replayed "$first" $((first + 9 < guest_points ? first + 9 : guest_points - 1)) || return
	done
}

# cut_as LOAD COMMAND...: what a failure needs to be looked for again
cut_as()
{
	local load=$1
	shift
	"$@" && return
	echo "seed $seed, mkfs.ext4 -J size=4 $load, $load_seconds s of load, $points points; host: $(cat /proc/loadavg)"
	return 1
}

build()
{
	make --no-print-directory -s -f user/environment/Makefile && gcc -O1 -Wall -Werror -static -o "$work/load" tests/host/ext4_load.c
}

scripts/setup fuzz
loads=('-b 4096' '-b 1024 -O ^metadata_csum' '-t ext3')
plan $((1 + 3 * ${#loads[@]}))
check 'the programs are built' build
for load in "${loads[@]}"; do
	# shellcheck disable=SC2086 # words on purpose
	check "a guest writes to a disk made with mkfs.ext4 -J size=4 $load" record -J size=4 $load
	check "$points power cuts" cut_as "$load" "$tool" -q logged "$work/before" "$work/log" "$seed" "$points"
	check "$guest_points power cuts, replayed by a guest" cut_as "$load" replays
done
