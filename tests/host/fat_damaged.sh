#!/bin/bash
# Damaged FAT volumes and squashfs images in the guest: errors and lines in the log, never a crash, a hang or a write outside (docs/vfat.md). For
# the debug build above all, whose checks see more.
# seconds: 200
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
count=${count:-20}
tool=$ROOT/build/host/vfat-tool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

volumes=('256K -F 12 -s 1 -r 64' '256K -F 12 -s 8' '2300K -F 16 -s 1 -f 1' '256K -F 32 -s 1')
images=('-comp gzip' '-comp zstd' '-noI -noD -noF -noX -noId')

# Files by the names that tests/host/damage.c knows.
bases()
{
	local i words
	printf '%s\n' 'mkdir d' 'mkdir in' 'create s' 'write s 0 small' 'create whole' 'create holes' 'repeat 40 write whole %00 dddddddddddddddd' \
		'repeat 40 write holes %00 dddddddddddddddd' 'repeat 20 create d/a_name_that_needs_more_than_one_entry_%' 'create d/first' 'fill d/first 0 5000 1' \
		> "$work/script"
	for ((i = 0; i < ${#volumes[@]}; i++)); do
		read -ra words <<< "${volumes[i]}"
		truncate -s "${words[0]}" "$work/vfat$i" && mkfs.vfat "${words[@]:1}" "$work/vfat$i" > /dev/null && "$tool" script "$work/vfat$i" "$work/script" || return
	done
	mkdir -p "$work/files/d/e" "$work/files/many" && head -c 30000 /bin/busybox > "$work/files/whole" && ln -s whole "$work/files/link" || return
	for ((i = 0; i < 200; i++)); do echo "$i" > "$work/files/many/a_name_that_is_long_enough_for_an_index_$i"; done
	for ((i = 0; i < ${#images[@]}; i++)); do
		read -ra words <<< "${images[i]}"
		mksquashfs "$work/files" "$work/squashfs$i" -quiet -no-progress -b 4096 "${words[@]}" > /dev/null || return
	done
}

# In pieces, each in a machine of its own, so that what one leaves behind does not hide in the next.
damaged() # TYPE FIRST COUNT
{
	local image with=() names=()
	for image in "$work/$1"?; do
		with+=(--with "$image:/${image##*/}")
		names+=("/${image##*/}")
	done
	seconds=1500 kumo --mem 1G "${with[@]}" --with "$work/damage" -- sh -c 'modprobe loop; exec damage "$@"' sh "$@" "${names[@]}"
}

scripts/setup fuzz
plan $((2 + 2 * ((count + 249) / 250)))
check 'the programs are built' eval 'make --no-print-directory -s -f user/environment/Makefile build/host/vfat-tool &&
	gcc -O1 -Wall -Werror -static -o "$work/damage" tests/host/damage.c'
check 'good images are made' bases
for type in vfat squashfs; do
	for ((first = 0; first < count; first += 250)); do
		check "$type: images $first and on" damaged "$type" "$first" $((count - first < 250 ? count - first : 250))
	done
done
