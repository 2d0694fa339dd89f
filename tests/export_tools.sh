#!/bin/sh
# exportfs, import and srv: a folder over a Unix socket, over pipes, and posted in /srv. Linux has none of them.
# seconds: 120
[ -e /dev/export ] || exit 77
fail() {
	echo "# $1"
	exit 1
}
top=/tmp/export_tools
mkdir -p $top/from/folder $top/n
cd $top || exit 1
echo contents >from/file
for tool in exportfs import srv; do
	$tool --help | grep -q SYNOPSIS || fail "$tool has no help"
	$tool 2>/dev/null && fail "$tool without arguments"
done

exportfs from socket ro &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -S socket ] && break
	sleep 0.2
done
[ -S socket ] || fail "there is no socket"
exportfs from socket 2>/dev/null && fail "two at one socket"
[ "$(stat -c %a socket)" = 600 ] || fail "mode of the socket"

# Tversion and Rversion by hand, over standard input and output.
printf '\025\000\000\000\144\377\377\000\040\000\000\010\0009P2000.L' | exportfs from - | cat >answer
[ "$(wc -c <answer)" = 21 ] || fail "an answer over pipes"

if modprobe 9p 2>/dev/null; then
	import socket n || fail "import"
	[ "$(cat n/file)" = contents ] || fail "a file that is imported"
	(echo x >n/file) 2>/dev/null && fail "what is read-only was written"
	umount n || fail "umount"
	mkdir -p /srv
	mount -t srv none /srv
	srv socket far || fail "srv"
	import /srv/far n || fail "import of what is posted"
	[ "$(ls n)" = "file
folder" ] || fail "a folder that is imported"
	umount n
	rm /srv/far
	umount /srv
fi
kill $server
wait $server
rm -rf $top
