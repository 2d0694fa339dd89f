#!/bin/bash
# What programs want of files, on disks: tests/file_model.c (random operations against a model), tests/file_rules.c (errors,
# permissions, times), file_limits.c and file_ends.c, as the guest tests of these names do on the RAM tree, and a directory of many
# names (tests/soak/many_names.c); then the format's own check. From tests/soak/host it goes on for longer, and runs on Debian's Linux, too,
# where what the tests want must hold.
# seconds: 480
. "$ROOT/tests/host/lib.sh"
# Where there is room in memory, for what is measured here is not the host's disk.
work=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)") || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
seconds=${trees_linux:+900} && seconds=${seconds:-120}

cat > "$work/run.sh" <<'END'
type=$1 what=$2 status=0
shift 2
mkdir /m && mount -t $type /dev/vda /m && chmod 777 /m || exit
case $what in
rules) file_rules /m && file_limits /m && file_ends /m || status=1 ;;
ends) file_ends /m || status=1 ;;
names) many_names /m/many $1 || status=1; shift ;;
esac
for seed; do
	[ $status = 0 ] && { file_model -s $seed -n $what /m || status=1; }
done
umount /m && exit $status
END

peer=() # words for Linux
linux() { "$KUMO" run --timeout "$seconds" "${peer[@]}" "$@"; }

# on RUN TYPE WORDS MKFS...: a new image, what run.sh does with WORDS, the format's check.
on()
{
	local run=$1 type=$2 words=$3
	shift 3
	rm -f "$work/disk" && truncate -s 256M "$work/disk" && "$@" "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	# shellcheck disable=SC2086
	"$run" --disk "$work/disk" "${programs[@]}" --with "$work/run.sh:/run.sh" -- sh /run.sh "$type" $words > "$work/out" 2>&1 ||
		{ cat "$work/out"; return 1; }
	case $type in
	vfat*) fsck.vfat -n "$work/disk" ;;
	*) e2fsck -fn "$work/disk" ;;
	esac > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

ext4=(mkfs.ext4 -q -F -b 4096) small=(mkfs.ext4 -q -F -b 1024 -O '^has_journal')
ext3=(mkfs.ext4 -q -F -t ext3 -b 4096) ext2=(mkfs.ext4 -q -F -t ext2 -b 1024)
fat=(mkfs.vfat -F 32 -s 1) names=${trees_names:-3000}
programs=(--with "$BUILD_DIR/tests/soak/many_names")
for program in file_model file_rules file_limits file_ends; do
	programs+=(--with "$BUILD_DIR/tests/$program")
done
random="${trees_steps:-120} ${trees_seeds:-1}"
plan $((${trees_linux:-0} ? 18 : 12))
check 'rules on ext4' on kumo ext4 rules "${ext4[@]}"
check 'rules on ext3' on kumo ext3 rules "${ext3[@]}"
check 'ends of files on ext4 with small blocks' on kumo ext4 ends "${small[@]}"
check 'ends of files on ext2 with small blocks' on kumo ext2 ends "${ext2[@]}"
check 'ends of files on FAT' on kumo vfat ends mkfs.vfat
check 'random operations on ext4' on kumo ext4 "$random" "${ext4[@]}"
check 'random operations on ext4 with small blocks and no journal' on kumo ext4 "$random" "${small[@]}"
check 'random operations on ext3' on kumo ext3 "$random" "${ext3[@]}"
check 'random operations on ext2 with small blocks' on kumo ext2 "$random" "${ext2[@]}"
check 'rules on FAT' on kumo 'vfat -o umask=0' rules "${fat[@]}"
check 'random operations on FAT' on kumo 'vfat -o umask=0' "$random" "${fat[@]}"
check "$names names in a directory of ext4" on kumo ext4 "names $names" "${ext4[@]}" -N $((names + 1000))
if [[ ${trees_linux-} ]]; then
	eval "peer=($("$ROOT/scripts/peer.py" "$BUILD_DIR"))" || exit 1
	check 'rules on Linux, ext4' on linux ext4 rules "${ext4[@]}"
	check 'ends of files on Linux, FAT' on linux vfat ends mkfs.vfat
	check 'random operations on Linux, ext4' on linux ext4 "$random" "${ext4[@]}"
	check 'random operations on Linux, ext3' on linux ext3 "$random" "${ext3[@]}"
	check 'rules on Linux, FAT' on linux 'vfat -o umask=0' rules "${fat[@]}"
	check 'random operations on Linux, FAT' on linux 'vfat -o umask=0' "$random" "${fat[@]}"
fi
