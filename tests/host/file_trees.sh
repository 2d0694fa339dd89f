#!/bin/bash
# What programs want of files, on disks: tests/file_model.c (random operations against a model) and tests/file_rules.c (errors,
# permissions, times), as the guest tests of these names do on the RAM tree; then the format's own check.
# seconds: 480
. "$ROOT/tests/host/lib.sh"
# Where there is room in memory, for what is measured here is not the host's disk.
work=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)") || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
export seconds=120 # of each machine

cat > "$work/run.sh" <<'END'
type=$1 what=$2 status=0
shift 2
mkdir /m && mount -t $type /dev/vda /m && chmod 777 /m || exit
[ $what = rules ] && { file_rules /m && file_limits /m || status=1; }
for seed; do
	[ $status = 0 ] && { file_model -s $seed -n $what /m || status=1; }
done
umount /m && exit $status
END

# on TYPE WORDS MKFS...: a new image, what run.sh does with WORDS, the format's check.
on()
{
	local type=$1 words=$2
	shift 2
	rm -f "$work/disk" && truncate -s 256M "$work/disk" && "$@" "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	# shellcheck disable=SC2086
	kumo --disk "$work/disk" --with "$BUILD_DIR/tests/file_model" --with "$BUILD_DIR/tests/file_rules" --with "$BUILD_DIR/tests/file_limits" \
		--with "$work/run.sh:/run.sh" -- sh /run.sh "$type" $words > "$work/out" 2>&1 || { cat "$work/out"; return 1; }
	e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

ext4=(mkfs.ext4 -q -F -b 4096) small=(mkfs.ext4 -q -F -b 1024 -O '^has_journal') ext3=(mkfs.ext4 -q -F -t ext3 -b 4096)
plan 4
check 'rules on ext4' on ext4 rules "${ext4[@]}"
check 'rules on ext3' on ext3 rules "${ext3[@]}"
check 'random operations on ext4' on ext4 '120 1' "${ext4[@]}"
check 'random operations on ext4 with small blocks and no journal' on ext4 '120 1' "${small[@]}"
