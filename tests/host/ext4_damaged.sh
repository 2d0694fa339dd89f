#!/bin/bash
# Damaged images in the guest: errors and lines in the log, never a crash, a hang or a write outside (docs/ext4.md). For the debug build
# above all, whose checks see more.
# seconds: 200
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
count=${count:-40}
tool=$ROOT/build/host/ext4-tool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

features=(
	'-b 1024 -O ^metadata_csum,^has_journal'
	'-b 1024 -O ^metadata_csum,^has_journal,^extents,^64bit'
	'-b 1024 -O ^metadata_csum -J size=1'
	'-b 4096 -O ^metadata_csum,^has_journal,inline_data'
	'-b 1024 -O metadata_csum,^has_journal'
	'-b 1024 -O ^metadata_csum,^has_journal,meta_bg,large_dir -I 128 -g 1024'
)

base() # NUMBER OPTION...
{
	local image=$work/base$1 i
	shift
	mkdir -p "$work/files/in" && echo small > "$work/files/s" && touch "$work/files/in/x" && truncate -s 1536K "$image" || return
	[[ $* != *-J* ]] || truncate -s 4M "$image"
	mkfs.ext4 -q -F -N 64 -O ^resize_inode -d "$work/files" "$@" "$image" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	case $* in # a block map cannot say that blocks are not written
	*^extents*) grep -v ^allocate "$work/script" ;;
	*) cat "$work/script" ;;
	esac | "$tool" script "$image" - || return
	[[ $* == *-J* ]] || return 0
	# What the log still holds is brought home by the next mount.
	i=$(stat -c %s "$image")
	printf '%s\n' 'jo' "jw -b $((i / 1024 - 20)),$((i / 1024 - 18)) /bin/busybox" "jw -r $((i / 1024 - 18))" 'jc' > "$work/commands"
	debugfs -w -f "$work/commands" "$image" > "$work/log" 2>&1
}

bases()
{
	local i long
	long=$(printf 'l%.0s' {1..200})
	{
		printf '%s\n' 'mkdir d' 'create d/first' 'repeat 30 link d/first d/a_name_that_is_long_enough_for_an_index_that_has_more_than_one_block_%' \
			'create holes' 'repeat 60 write holes %000 dddddddddddddddd' 'create whole' 'repeat 60 write whole %00 dddddddddddddddd' \
			'allocate whole 60000 20000' 'symlink target short' "symlink $long long" 'mknod device c' 'setfattr whole user.a dddddddddd' \
			"setfattr whole user.b $long$long" 'setfattr holes trusted.c dddddddddddddddddddddddddd'
	} > "$work/script"
	for ((i = 0; i < ${#features[@]}; i++)); do
		# shellcheck disable=SC2086 # words on purpose
		base "$i" ${features[i]} || return
	done
}

# In pieces, each in a machine of its own, so that what one leaves behind does not hide in the next.
damaged() # FIRST COUNT
{
	local i with=() names=()
	for ((i = 0; i < ${#features[@]}; i++)); do
		with+=(--with "$work/base$i:/base$i")
		names+=("/base$i")
	done
	seconds=1500 kumo --mem 1G "${with[@]}" --with "$work/damage" -- sh -c 'modprobe loop; exec damage ext4 "$@"' sh "$1" "$2" "${names[@]}"
}

scripts/setup fuzz
plan $((2 + (count + 249) / 250))
check 'the programs are built' eval 'make --no-print-directory -s -f user/environment/Makefile &&
	gcc -O1 -Wall -Werror -static -o "$work/damage" tests/host/damage.c'
check 'good images are made' bases
for ((first = 0; first < count; first += 250)); do
	check "images $first and on" damaged "$first" $((count - first < 250 ? count - first : 250))
done
