#!/bin/bash
# Debian's dynamically linked kmod runs as it is, and works on our modules.
# seconds: 120
. "$ROOT/tests/host/lib.sh"
plan 3

in_guest() # WANTED COMMANDS: their output, lines sorted out by the commands themselves
{
	local seen
	seen=$(kumo --libs --with /bin/kmod --with /bin/kmod:/kmod/modprobe --with /bin/kmod:/kmod/modinfo -- sh -c "$2") || return
	[[ $seen == "$1" ]] || { echo "$seen"; return 1; }
}
check 'modprobe -v loads what a module needs first' in_guest $'insmod hello.ko\ninsmod hello_user.ko' \
	'/kmod/modprobe -v hello_user | sed "s|/.*/||; s| *$||"'
check 'modprobe -r takes both away again' in_guest $'2\n0' \
	'modprobe hello_user; grep -c hello_ /proc/modules; /kmod/modprobe -r hello_user; grep -c hello /proc/modules; true'
check 'modinfo reads parameters' in_guest 'how often to say hello (int)' \
	'/kmod/modinfo -p hello | sed -n "s/^times://p"'
