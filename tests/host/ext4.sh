#!/bin/bash
# modules/fs/ext4 as an ordinary program (docs/ext4.md), on images that mkfs.ext4 and debugfs made: read by comparison, written at random
# against a model and looked at by e2fsck, cut off from power, replayed. The sources are the same in every build.
# seconds: 240
[[ $BUILD == release ]] || exit 77
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
steps=${ext4_steps:-250} points=${ext4_points:-120} names=${ext4_names:-20000}
tool=$ROOT/build/host/ext4-tool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

# What mkfs.ext4 makes them with; each is read, and written at random.
features=(
	'-b 4096'
	'-b 1024'
	'-b 2048'
	'-O ^has_journal'
	'-O ^extents,^64bit'
	'-b 1024 -O ^extents,^64bit,^metadata_csum'
	'-t ext3'
	'-t ext3 -b 1024'
	'-t ext2'
	'-t ext2 -b 1024 -O ^dir_index'
	'-t ext2 -r 0 -O none'
	'-O ^metadata_csum,uninit_bg'
	'-O ^metadata_csum,^uninit_bg'
	'-O ^dir_index'
	'-O ^64bit'
	'-O ^flex_bg'
	'-O meta_bg,^resize_inode'
	'-O inline_data'
	'-I 128'
	'-I 512'
	'-O sparse_super2'
	'-O metadata_csum_seed'
	'-O large_dir'
	'-O orphan_file'
	'-O project'
	'-O fast_commit'
	'-E lazy_itable_init=1'
	'-b 1024 -g 1024 -O ^flex_bg'
)

# A folder with what is hard: many names, a sparse file, one in many pieces, links of both kinds, attributes.
make_source()
{
	local i
	mkdir -p "$work/source/deep/a/b/c" "$work/source/many" || return
	for ((i = 0; i < 400; i++)); do echo "$i" > "$work/source/many/a_name_of_some_length_$i"; done
	ln -s short "$work/source/link"
	ln -s "$(printf 'x%.0s' {1..300})" "$work/source/long_link"
	ln "$work/source/many/a_name_of_some_length_1" "$work/source/deep/again"
	: > "$work/source/empty"
	head -c 50 /bin/busybox > "$work/source/small"
	cp /bin/busybox "$work/source/deep/a/b/c"
	for ((i = 0; i < 100; i++)); do
		dd if=/bin/busybox of="$work/source/sparse" bs=700 count=1 skip="$i" seek=$((i * 40)) conv=notrunc status=none || return
	done
}

image() # NAME SIZE OPTION...: an image with the folder's files
{
	rm -f "$work/$1" && truncate -s "$2" "$work/$1" && mkfs.ext4 -q -F "${@:3}" "$work/$1" > "$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log"; return 1; }
}

clean() # NAME: e2fsck finds nothing
{
	e2fsck -fn "$work/$1" > "$work/fsck.log" 2>&1 || { cat "$work/fsck.log"; return 1; }
}

# Every file as mkfs put it there.
reads() # OPTION...
{
	image read 48M -d "$work/source" "$@" || return
	rm -rf "$work/out" && mkdir "$work/out" && "$tool" -r extract "$work/read" "$work/out" &&
		rmdir "$work/out/lost+found" && diff -r --no-dereference "$work/source" "$work/out"
}

writes() # OPTION...
{
	image write 64M "$@" && "$tool" -q random "$work/write" "$((RANDOM % 1000))" "$steps" && clean write
}

reads_and_writes()
{
	# shellcheck disable=SC2086 # words on purpose
	reads $1 && writes $1
}

# So many names, of which all but 1,000 go again.
large_directory() # OPTION...
{
	image large 512M -N 110000 "$@" || return
	printf '%s\n' 'mkdir d' "repeat $names create d/a_file_with_a_number_%" > "$work/script"
	"$tool" script "$work/large" "$work/script" && clean large || return
	(($("$tool" -r list "$work/large" | grep -c a_file) == names)) || { echo 'names are missing'; return 1; }
	debugfs -R "stat d/a_file_with_a_number_$((names - 7))" "$work/large" 2> /dev/null | grep -q 'Type: regular' || return
	echo "repeat $((names - 1000)) unlink d/a_file_with_a_number_%" > "$work/script"
	"$tool" script "$work/large" "$work/script" && clean large &&
		(($("$tool" -r list "$work/large" | grep -c a_file) == 1000))
}

# 20,000 extents, so that their tree has levels; then every other goes.
deep_extents()
{
	image deep 200M -b 1024 || return
	printf '%s\n' 'create f' 'repeat 20000 write f %0000 x' > "$work/script"
	"$tool" script "$work/deep" "$work/script" && clean deep || return
	debugfs -R 'ex f' "$work/deep" 2> /dev/null | grep -q ' 2/ [23]' || { echo 'the tree is flat'; return 1; }
	printf '%s\n' 'punch f 5000000 100000000' 'truncate f 150000000' 'truncate f 3' > "$work/script"
	"$tool" script "$work/deep" "$work/script" && clean deep
}

cuts() # OPTION...
{
	image cut 24M "$@" && "$tool" -q powercut "$work/cut" "$((RANDOM % 1000))" 2000 "$points"
}

# What cannot be mounted is refused, and what can only be read is not written.
refused()
{
	image refused 16M -O bigalloc && ! "$tool" -q list "$work/refused" > /dev/null 2>&1 || return
	image refused 16M -O encrypt && ! "$tool" -q list "$work/refused" > /dev/null 2>&1 || return
	image refused 16M -O quota && "$tool" -q list "$work/refused" > /dev/null || return
	echo '!30 create x' > "$work/script"
	"$tool" -q script "$work/refused" "$work/script" && clean refused
}

# A journal that e2fsprogs wrote, revocations and all.
foreign_journal() # JOURNAL_OPTION
{
	image journal 64M -b 4096 -d "$work/source" || return
	printf '%s\n' "jo $1" 'jw -b 15000,15001 /bin/busybox' 'jw -r 15001' 'jw -b 15002 /bin/busybox' 'jc' > "$work/commands"
	debugfs -w -f "$work/commands" "$work/journal" > "$work/debugfs.log" 2>&1
	"$tool" replay "$work/journal" || return
	cmp -n 4096 "$work/journal" /bin/busybox $((15000 * 4096)) 0 && cmp -n 4096 "$work/journal" /bin/busybox $((15002 * 4096)) 0 || return
	! cmp -s -n 4096 "$work/journal" /bin/busybox $((15001 * 4096)) 4096
}

scripts/setup fuzz
plan $((1 + ${#features[@]} + 8))
check 'the program is built' make --no-print-directory -s -f user/environment/Makefile
make_source || exit 1
for feature in "${features[@]}"; do
	check "images of mkfs.ext4 $feature are read and written" reads_and_writes "$feature"
done
check 'a directory of many names' large_directory
check 'a directory of many names in blocks of 1024 bytes' large_directory -b 1024 -O large_dir
check 'a tree of extents with levels' deep_extents
check 'power cuts' cuts -J size=4
check 'power cuts with a block map' cuts -t ext3 -b 1024 -J size=4
check 'power cuts with blocks of 1024 bytes and without checksums' cuts -b 1024 -O ^metadata_csum -J size=4
check 'what cannot be written is not' refused
check 'a journal that e2fsprogs wrote is replayed' foreign_journal -c
