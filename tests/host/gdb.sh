#!/bin/bash
# gdb's commands for a running kernel (scripts/kumo-gdb.py).
# seconds: 120
. "$ROOT/tests/host/lib.sh"
command -v gdb > /dev/null || exit 77
plan 4
work=$(mktemp -d)
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

trap '' PIPE
mkfifo "$work/in"
kumo --qemu "-gdb unix:$work/gdb,server=on,wait=off" -- sh -c 'modprobe hello; read -r line' < "$work/in" > "$work/out" 2>&1 &
exec 9> "$work/in"
sleep 8
KUMO_GDB=$work/gdb timeout 60 gdb -batch -x scripts/kumo-gdb.py -ex kumo-modules -ex kumo-symbols -ex 'info address hello_say' -ex kumo-ps \
	-ex kumo-log -ex detach "$BUILD_DIR/kumo" > "$work/text" 2>&1
echo >&9
exec 9>&-
wait

shows() { grep -qE "$1" "$work/text" || { cat "$work/text" "$work/out"; return 1; }; }
check 'modules are listed' shows '^0xffffffffa[0-9a-f]+ hello$'
check 'symbols of modules are loaded' shows 'hello_say" is a function at address 0xffffffffa'
check 'processes are listed' shows '^ +1 +1 [RS] +[01] 0xffffc9.* init$'
check 'the log is read' shows '^\[ +[0-9.]+\] hello: hello, world$'
