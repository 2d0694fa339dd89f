#!/bin/bash
# modules/fs/vfat as an ordinary program (docs/vfat.md), on images that mkfs.vfat and mtools made: read by comparison, written at random
# against a model and looked at by fsck.vfat. The sources are the same in every build.
# seconds: 120
[[ $BUILD == release ]] || exit 77
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
steps=${vfat_steps:-300}
tool=$ROOT/build/host/vfat-tool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
export MTOOLS_SKIP_CHECK=1 MTOOLS_NO_VFAT=0

# What mkfs.vfat makes them with, and how large: each is read, and written at random.
volumes=(
	'2M -F 12 -s 1'
	'2M -F 12 -f 1 -s 4'
	'15M -F 12 -s 8'
	'20M -F 16 -s 1'
	'64M -F 16 -s 16'
	'100M -F 16 -S 4096'
	'40M -F 32 -s 1'
	'300M -F 32 -s 8'
	'40M -F 32 -s 1 -f 1'
)

image() # NAME SIZE OPTION...
{
	rm -f "$work/$1" && truncate -s "$2" "$work/$1" && mkfs.vfat "${@:3}" "$work/$1" > "$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log"; return 1; }
}

clean() # NAME: fsck.vfat finds nothing
{
	fsck.vfat -n "$work/$1" > "$work/fsck.log" 2>&1 || { cat "$work/fsck.log"; return 1; }
}

# Names long and short, capital and small, of other alphabets; many of them; a large file and an empty one.
make_source()
{
	local i
	mkdir -p "$work/source/deep/A/b/C.DIR" "$work/source/many" || return
	for ((i = 0; i < 150; i++)); do echo "$i" > "$work/source/many/a name of some length $i"; done
	: > "$work/source/empty"
	head -c 50 /bin/busybox > "$work/source/SMALL.TXT"
	head -c 700000 /bin/busybox > "$work/source/deep/A/b/large file.bin"
	echo x > "$work/source/ÄÖÜ älter €.tëxt"
	echo y > "$work/source/.hidden"
	echo z > "$work/source/$(printf 'l%.0s' {1..240})"
	echo w > "$work/source/lower.txt"
	touch -d '2021-03-04 05:06:08 UTC' "$work/source/SMALL.TXT"
}

# Every file as mtools put it there.
reads() # SIZE OPTION...
{
	image read "$@" && (cd "$work/source" && LC_ALL=C.UTF-8 mcopy -s -Q -m -i "$work/read" -- * .hidden ::/) || return
	rm -rf "$work/out" && mkdir "$work/out" && "$tool" -r extract "$work/read" "$work/out" && diff -r "$work/source" "$work/out"
}

# What a script writes mtools reads.
writes() # SIZE OPTION...
{
	image write "$@" && "$tool" -q random "$work/write" "$((RANDOM % 1000))" "$steps" && clean write || return
	image plain "$@" || return
	printf '%s\n' 'mkdir deep' 'create deep/file_with_a_name' 'fill deep/file_with_a_name 0 300000 7' 'rename deep Deeper' \
		'create SHORT.TXT' 'write SHORT.TXT 5000 behind' > "$work/script"
	"$tool" script "$work/plain" "$work/script" && clean plain || return
	rm -rf "$work/out" "$work/theirs" && mkdir "$work/out" "$work/theirs" && "$tool" -r extract "$work/plain" "$work/out" &&
		mcopy -s -Q -i "$work/plain" '::/*' "$work/theirs" && diff -r "$work/out" "$work/theirs"
}

reads_and_writes()
{
	# shellcheck disable=SC2086 # words on purpose
	reads $1 && writes $1
}

large_directory()
{
	image large 40M -F 32 -s 1 || return
	printf '%s\n' 'mkdir d' 'repeat 3000 create d/a_file_with_a_number_%' 'repeat 2000 unlink d/a_file_with_a_number_%' \
		'repeat 500 create d/another_file_%' > "$work/script"
	"$tool" script "$work/large" "$work/script" && clean large && (($("$tool" -r list "$work/large" | grep -c _file_) == 1500))
}

# What Linux answers.
errors()
{
	image errors 2M -F 12 || return
	cat > "$work/script" <<-'END'
		create a
		mkdir D
		create D/x
		!1 symlink t l
		!1 link a b
		!1 mknod p p
		!22 create a:b
		!22 create a?
		!17 create A
		!17 create a.
		!39 unlink d
		!95 punch a 0 100
		!27 truncate a 4294967296
		!28 truncate a 4294967295
		keep a 0 100000
		write a 10 x
		unlink d/X
		unlink d
	END
	"$tool" script "$work/errors" "$work/script" && clean errors && (($("$tool" -r list "$work/errors" | awk '$9 == "/a" { print $6 }') == 11))
}

# Where a file grows over what another system left behind its end.
old_bytes()
{
	image old 2M -F 12 -s 8 && printf 'x%.0s' {1..3000} > "$work/x" && mcopy -i "$work/old" "$work/x" ::/f || return
	# The cluster's rest is made garbage; 2 sectors are clusters' first.
	python3 - "$work/old" <<-'END' || return
		import sys
		data = bytearray(open(sys.argv[1], "rb").read())
		at = data.index(b"x" * 3000)
		data[at + 3000:at + 4096] = b"?" * 1096
		open(sys.argv[1], "wb").write(data)
	END
	printf '%s\n' 'truncate f 3500' 'write f 9000 end' > "$work/script"
	"$tool" script "$work/old" "$work/script" && clean old && rm -rf "$work/out" && mkdir "$work/out" &&
		"$tool" extract "$work/old" "$work/out" && ! grep -q '?' "$work/out/f" && (($(wc -c < "$work/out/f") == 9003))
}

msdos_names()
{
	image dos 2M -F 12 && printf '%s\n' 'create LongFileName.Text' 'write longfile.tex 0 hello' '!22 create a.b.c' '!22 create .dot' > "$work/script"
	"$tool" -t msdos script "$work/dos" "$work/script" && clean dos && "$tool" -t msdos -r list "$work/dos" | grep -q ' /longfile.tex$'
}

# Chains that lead astray: an error and a line, and the rest can be read.
damaged()
{
	image damaged 2M -F 12 -s 1 && cp /bin/busybox "$work/b" && truncate -s 20000 "$work/b" || return
	mcopy -i "$work/damaged" "$work/b" ::/one && mcopy -i "$work/damaged" "$work/b" ::/two && mmd -i "$work/damaged" ::/dir || return
	python3 - "$work/damaged" <<-'END' || return
		import struct, sys
		data = bytearray(open(sys.argv[1], "rb").read())
		reserved, tables, size = struct.unpack_from("<H", data, 14)[0], data[16], struct.unpack_from("<H", data, 22)[0]
		def put(cluster, value):
		    for table in range(tables):
		        at = (reserved + table * size) * 512 + cluster * 3 // 2
		        old = struct.unpack_from("<H", data, at)[0]
		        new = (old & 0xf) | value << 4 if cluster % 2 else (old & 0xf000) | value
		        struct.pack_into("<H", data, at, new)
		put(10, 5)  # of "one": a circle
		open(sys.argv[1], "wb").write(data)
	END
	"$tool" -r extract "$work/damaged" "$work/dam" > "$work/log" 2>&1 && { echo 'no error'; return 1; }
	mkdir "$work/dam" && "$tool" -r extract "$work/damaged" "$work/dam" > "$work/log" 2>&1
	cmp "$work/dam/two" "$work/b" && cmp -s -n 4096 "$work/dam/one" "$work/b"
}

scripts/setup fuzz
plan $((1 + ${#volumes[@]} + 5))
check 'the program is built' make --no-print-directory -s -f user/environment/Makefile build/host/vfat-tool
make_source || exit 1
for volume in "${volumes[@]}"; do
	check "volumes of $volume are read and written" reads_and_writes "$volume"
done
check 'a large directory' large_directory
check 'errors are those of Linux' errors
check 'old bytes are not seen' old_bytes
check 'names of msdos' msdos_names
check 'chains that lead astray' damaged
