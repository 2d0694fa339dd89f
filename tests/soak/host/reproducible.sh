#!/bin/bash
# Two builds of the same sources in different folders give the same bytes.
# seconds: 900
. "$ROOT/tests/host/lib.sh"
plan 1
work=$(mktemp -d)
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

same()
{
	local name
	mkdir "$work/one" "$work/another-one"
	for name in one another-one; do
		tar -C "$ROOT" --exclude=./build --exclude=./.git -c . | tar -C "$work/$name" -x
		mkdir -p "$work/$name/build" && cp -r "$ROOT/build/zlib" "$work/$name/build/"
		make -s -C "$work/$name" BUILD="$BUILD" || return
	done
	cd "$work/one/build/$BUILD" &&
		find . \( -name '*.ko' -o -name kumo -o -name initramfs.cpio -o -name Module.symvers \) -print | sort |
		while read -r name; do
			cmp "$name" "$work/another-one/build/$BUILD/$name" || exit 1
		done
}
check 'kernel, modules and initramfs are the same' same
