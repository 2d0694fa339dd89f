#!/bin/bash
# modules/fs/squashfs as an ordinary program (docs/squashfs.md), on images that mksquashfs made, and in the guest: file by file, by comparison
# and by hash.
# seconds: 300
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
tool=$ROOT/build/host/squashfs-tool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

images=(
	'-comp gzip'
	'-comp zstd'
	'-comp gzip -b 4K'
	'-comp zstd -b 1M'
	'-comp gzip -no-fragments'
	'-comp zstd -always-use-fragments'
	'-noI -noD -noF -noX -noId'
	'-comp gzip -no-exports -no-duplicates'
)

# A hole, ends in fragments, links, large directories, things that are no files, attributes.
make_source()
{
	local i source=$work/source
	mkdir -p "$source/deep/a/b" "$source/many" && cp /bin/busybox "$source/deep/a/b" || return
	for ((i = 0; i < 1500; i++)); do echo "$i" > "$source/many/a_name_of_some_length_$i"; done
	ln -s deep/a/b/busybox "$source/link" && ln "$source/many/a_name_of_some_length_1" "$source/again" || return
	: > "$source/empty"
	head -c 300000 /dev/urandom > "$source/random"
	dd if=/bin/busybox of="$source/hole" bs=4096 seek=1000 count=20 status=none || return
	truncate -s 30M "$source/huge" && mkfifo "$source/pipe" && mknod "$source/device" c 5 1 || return
	chmod 4711 "$source/random" && chown 12:345678 "$source/empty"
	python3 -c 'import os, sys; [os.setxattr(sys.argv[1], "user.%d" % i, b"v" * i * 100) for i in range(1, 8)]' "$source/random" 2> /dev/null || true
	(cd "$source" && find . -type f -exec md5sum {} + > "$work/sums")
}

image() # OPTION...
{
	rm -f "$work/image" && mksquashfs "$work/source" "$work/image" -quiet -no-progress "$@" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

# Its own lists: kind, mode, owner, links, size; then every byte.
reads() # OPTIONS
{
	# shellcheck disable=SC2086 # words on purpose
	image $1 || return
	"$tool" list "$work/image" > "$work/list" || return
	grep -q '^c 0644 0 0 1 .* /device$' "$work/list" && grep -q '^p .* /pipe$' "$work/list" && grep -q '^- 4711 .* /random$' "$work/list" &&
		grep -q '^- 0644 12 345678 1 0 .* /empty$' "$work/list" && grep -q '^- 0644 0 0 2 .* /again$' "$work/list" || { cat "$work/list"; return 1; }
	(($(wc -l < "$work/list") == $(find "$work/source" | wc -l))) || { echo 'names are missing'; return 1; }
	rm -rf "$work/out" && mkdir "$work/out" && "$tool" extract "$work/image" "$work/out" && (cd "$work/out" && md5sum -c --quiet "$work/sums") &&
		[[ $(readlink "$work/out/link") == deep/a/b/busybox && $(stat -c %s "$work/out/huge") == 31457280 ]]
}

# Images that are no good, or cut short: an error, and no more.
damaged()
{
	image -comp xz && ! "$tool" -q list "$work/image" > /dev/null 2>&1 || return
	image -comp gzip && truncate -s -100000 "$work/image" && ! "$tool" -q list "$work/image" > /dev/null 2>&1
}

in_guest() # OPTION...
{
	image "$@" || return
	cat > "$work/run.sh" <<-'END'
		set -e
		mkdir /s && mount -t squashfs "$@" /dev/vda /s && (cd /s && md5sum -c -s /sums)
		[ "$(readlink /s/link)" = deep/a/b/busybox ] && [ "$(stat -c %F:%t:%T /s/device)" = 'character special file:5:1' ]
		[ "$(ls /s/many | wc -l)" = 1500 ] && [ "$(stat -c %a:%h /s/again)" = 644:2 ] && [ "$(stat -c %u:%g /s/empty)" = 12:345678 ]
		/s/deep/a/b/busybox true
		! touch /s/x 2> /dev/null; ! rm /s/empty 2> /dev/null; ! mount -o remount,rw /s 2> /dev/null || ! touch /s/x 2> /dev/null
		umount /s; rmmod squashfs
	END
	kumo --disk "$work/image" --with "$work/sums:/sums" --with "$work/run.sh:/run.sh" -- sh /run.sh "${mount_options[@]}"
}

mount_options=()
host=0
[[ $BUILD == release ]] && host=1 && scripts/setup fuzz
plan $((2 + host * (2 + ${#images[@]})))
make_source || exit 1
if ((host)); then
	check 'the program is built' make --no-print-directory -s -f user/environment/Makefile build/host/squashfs-tool
	for options in "${images[@]}"; do
		check "images of mksquashfs $options are read" reads "$options"
	done
	check 'what is damaged is refused' damaged
fi
check 'the guest reads gzip' in_guest -comp gzip
mount_options=(-o loop)
check 'the guest reads zstd, by loop' in_guest -comp zstd
