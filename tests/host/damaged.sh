#!/bin/bash
# Damaged images of ext4, FAT and squashfs in the guest: errors and lines in the log, never a crash, a hang or a write outside
# (damage.c). For the debug build above all, whose checks see more. TYPES='vfat squashfs' takes only these.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
count=${count:-30}
identity=01234567-89ab-cdef-0123-456789abcdef # the same damage each time
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

# What good images are made with, a line each.
declare -A options=(
[ext4]='-b 1024 -O ^metadata_csum,^has_journal
-b 1024 -O ^metadata_csum,^has_journal,^extents,^64bit
-b 1024 -O ^metadata_csum -J size=1
-b 4096 -O ^metadata_csum,^has_journal,inline_data
-b 1024 -O metadata_csum,^has_journal
-b 1024 -O ^metadata_csum,^has_journal,meta_bg,large_dir -I 128 -g 1024'
[vfat]='256K -F 12 -s 1 -r 64
256K -F 12 -s 8
2300K -F 16 -s 1 -f 1
256K -F 32 -s 1'
[squashfs]='-comp gzip
-comp zstd
-noI -noD -noF -noX -noId
-noI -no-fragments -noId'
)

# The files that damage.c disturbs. Bytes that are all d are left as they are.
script_ext4()
{
	local long
	long=$(printf 'l%.0s' {1..200})
	printf '%s\n' 'mkdir d' 'create d/first' 'repeat 30 link d/first d/a_name_that_is_long_enough_for_an_index_that_has_more_than_one_block_%' \
		'create holes' 'repeat 60 write holes %000 dddddddddddddddd' 'create whole' 'repeat 60 write whole %00 dddddddddddddddd' \
		'allocate whole 60000 20000' 'symlink target short' "symlink $long long" 'mknod device c' 'setfattr whole user.a dddddddddd' \
		"setfattr whole user.b $long$long" 'setfattr holes trusted.c dddddddddddddddddddddddddd'
}

script_vfat()
{
	local i data
	data=$(printf 'd%.0s' {1..3000})
	printf '%s\n' 'mkdir d' 'create d/first' 'mkdir in' 'create in/x' 'create s' 'write s 0 small' 'mkdir d/e' 'mkdir d/e/f' \
		'repeat 20 create d/a_name_that_needs_more_than_one_entry_%' 'repeat 20 write d/a_name_that_needs_more_than_one_entry_% 0 dddddd' \
		'create holes' 'create whole'
	for ((i = 0; i < 10; i++)); do # in turns, so that neither lies in a row
		printf 'write %s %u %s\n' holes $((i * 3000)) "$data" whole $((i * 3000)) "$data"
	done
}

base_ext4() # IMAGE OPTION...
{
	local image=$1 end
	shift
	mkdir -p "$work/files/in" && echo small > "$work/files/s" && touch "$work/files/in/x" && truncate -s 1536K "$image" || return
	[[ $* != *-J* ]] || truncate -s 4M "$image"
	mkfs.ext4 -q -F -N 64 -U "$identity" -E hash_seed="$identity" -O ^resize_inode -d "$work/files" "$@" "$image" || return
	case $* in # a block map cannot say that blocks are not written
	*^extents*) script_ext4 | grep -v ^allocate ;;
	*) script_ext4 ;;
	esac | build/host/ext4-tool script "$image" - || return
	[[ $* == *-J* ]] || return 0
	# What the log still holds is brought home by the next mount.
	end=$(($(stat -c %s "$image") / 1024))
	printf '%s\n' 'jo' "jw -b $((end - 20)),$((end - 18)) /bin/busybox" "jw -r $((end - 18))" 'jc' > "$work/commands"
	debugfs -w -f "$work/commands" "$image"
}

base_vfat() # IMAGE SIZE OPTION...
{
	truncate -s "$2" "$1" && mkfs.vfat "${@:3}" "$1" && script_vfat | build/host/vfat-tool script "$1" -
}

base_squashfs() # IMAGE OPTION...
{
	local i long files=$work/squashfs
	if [[ ! -d $files ]]; then
		long=$(printf 'n%.0s' {1..100})
		mkdir -p "$files/d/e" "$files/many" && head -c 30000 /bin/busybox > "$files/blocks" && echo small > "$files/d/small" &&
			dd if=/bin/busybox of="$files/hole" bs=4096 seek=9 count=1 status=none && ln -s d/small "$files/link" &&
			ln "$files/blocks" "$files/d/again" && mkfifo "$files/pipe" || return
		for ((i = 0; i < 95; i++)); do
			echo "$i" > "$files/many/$long$i"
		done
		python3 -c 'import os, sys; [os.setxattr(sys.argv[1], f"user.{name}", b"v" * 300) for name in "abc"]' "$files/blocks" 2> /dev/null || true
	fi
	mksquashfs "$files" "$1" -quiet -no-progress -b 4096 "${@:2}"
}

bases() # TYPE
{
	local line
	images=()
	while read -r line; do
		# shellcheck disable=SC2086 # words on purpose
		"base_$1" "$work/$1${#images[@]}" $line > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
		images+=("$1${#images[@]}")
	done <<< "${options[$1]}"
}

# In pieces, each in a machine of its own, so that what one leaves behind does not hide in the next.
damaged() # TYPE FIRST COUNT
{
	local image with=()
	for image in "${images[@]}"; do
		with+=(--with "$work/$image:/$image")
	done
	seconds=1500 kumo --mem 1G "${with[@]}" --with "$work/damage" -- sh -c 'modprobe loop; exec damage "$@"' sh "$@" "${images[@]/#//}"
}

scripts/setup fuzz
read -ra types <<< "${TYPES:-ext4 vfat squashfs}"
plan $((1 + ${#types[@]} * (1 + (count + 249) / 250)))
check 'the programs are built' eval 'make --no-print-directory -s -f user/environment/Makefile &&
	gcc -O1 -Wall -Werror -static -o "$work/damage" tests/host/damage.c'
for type in "${types[@]}"; do
	images=()
	bases "$type" > "$work/log" 2>&1 || cat "$work/log"
	check "good images of $type are made" [ "${#images[@]}" -ge 4 ]
	for ((first = ${first_image:-0}; first < count; first += 250)); do
		check "$type, images $first and on" damaged "$type" "$first" $((count - first < 250 ? count - first : 250))
	done
done
