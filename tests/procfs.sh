#!/bin/sh
# /proc, /sys and /dev as a shell sees them. KTAP.
count=0
failures=0
check() { # NAME COMMAND...
	name=$1
	shift
	count=$((count + 1))
	if "$@" >/dev/null 2>&1; then
		echo "ok $count $name"
	else
		echo "not ok $count $name"
		failures=$((failures + 1))
	fi
}
matches() { # FILE PATTERN: some line of the file matches
	grep -qE -- "$2" "$1"
}
same() { # A B
	[ "$1" = "$2" ]
}

echo "KTAP version 1"
check "self is the reader" same "$(sed -n 's/^Pid:\t//p' /proc/self/status | wc -l)" 1
check "thread-self leads into task" test -e /proc/thread-self/stat
check "stat of the first process" matches /proc/1/stat '^1 \(.{1,15}\) [RSDTZ] 0 '
check "stat has 52 fields" same "$(sed 's/.*) //' /proc/$$/stat | wc -w)" 50
check "status names it" matches /proc/$$/status '^Name:.'
check "status has memory" matches /proc/$$/status '^VmRSS:[[:space:]]+[0-9]+ kB$'
check "status has the parent" same "$(sed -n 's/^PPid:\t//p' /proc/$$/status)" "$PPID"
check "status has signals" matches /proc/$$/status '^SigCgt:[[:space:]][0-9a-f]{16}$'
check "statm has seven numbers" matches /proc/$$/statm '^([0-9]+ ){6}[0-9]+$'
check "cmdline has the arguments" same "$(tr '\0' ' ' </proc/$$/cmdline | grep -c procfs)" 1
check "comm can be read" test -r /proc/$$/comm
check "maps has a stack" matches /proc/$$/maps '^[0-9a-f]+-[0-9a-f]+ rw-p [0-9a-f]{8} 00:00 0 +\[stack\]$'
check "maps has the program" matches /proc/$$/maps ' r-xp .*/'
check "exe is a program" test -x /proc/$$/exe
check "cwd is where we are" same "$(readlink /proc/$$/cwd)" "$(pwd -P)"
check "root is the root" same "$(readlink /proc/$$/root)" /
exec 5</dev/null
check "fd shows what is open" same "$(readlink /proc/$$/fd/5)" /dev/null
check "fdinfo tells the flags" matches /proc/$$/fdinfo/5 '^flags:'
exec 5<&-
check "fd no longer shows what is closed" test ! -e /proc/$$/fd/5
check "task lists the thread" test -r /proc/$$/task/$$/stat
check "environ has PATH" same "$(PATH=$PATH sh -c "tr '\\0' '\\n' </proc/self/environ" | grep -c ^PATH=)" 1
check "limits" matches /proc/$$/limits '^Max open files +[0-9]+ +[0-9]+ +files'
check "a process that is gone has no folder" test ! -e /proc/999999
check "no folder for nonsense" test ! -e /proc/0123
check "stat of the system" matches /proc/stat '^cpu  [0-9]+ [0-9]+ [0-9]+ [0-9]+'
check "stat has the boot time" matches /proc/stat '^btime [0-9]{9,}$'
check "meminfo" matches /proc/meminfo '^MemTotal: +[0-9]+ kB$'
check "meminfo has what free(1) asks" matches /proc/meminfo '^MemAvailable: +[0-9]+ kB$'
check "cpuinfo" matches /proc/cpuinfo '^processor[[:space:]]+: 0$'
check "uptime" matches /proc/uptime '^[0-9]+\.[0-9]{2} [0-9]+\.[0-9]{2}$'
check "loadavg" matches /proc/loadavg '^([0-9]+\.[0-9]{2} ){3}[0-9]+/[0-9]+ [0-9]+$'
check "version" matches /proc/version '^Linux version [0-9]+\.[0-9]+'
check "filesystems" matches /proc/filesystems '^nodev[[:space:]]proc$'
check "mounts has /proc" matches /proc/mounts '^[^ ]+ /proc proc '
check "mountinfo has /proc" matches /proc/self/mountinfo ' / /proc '
check "devices" matches /proc/devices '^ +1 mem$'
check "interrupts" matches /proc/interrupts 'CPU0'
check "vmstat counts faults" matches /proc/vmstat '^pgfault [1-9]'
check "slabinfo has the caches" matches /proc/slabinfo '^kmalloc-64 +[0-9]+ +[0-9]+ '
check "partitions has its head" matches /proc/partitions '^major minor'
check "consoles names the console" matches /proc/consoles '^tty'
check "cgroups has its head" matches /proc/cgroups '^#subsys_name'
check "net of a process is the net there is" same "$(ls /proc/self/net/)" "$(ls /proc/net)"
check "addresses are random" same "$(cat /proc/sys/kernel/randomize_va_space)" 2
check "processors are on line" same "$(cat /sys/devices/system/cpu/online)" "0-$(($(nproc) - 1))"
check "a processor has a topology" same "$(cat /sys/devices/system/cpu/cpu1/topology/core_siblings_list)" "0-$(($(nproc) - 1))"
check "masks are hexadecimal" same "$(cat /sys/devices/system/cpu/cpu1/topology/thread_siblings)" 2
check "a node has the memory" matches /sys/devices/system/node/node0/meminfo '^Node 0 MemTotal: +[0-9]+ kB$'
check "the root has room" test "$(stat -f -c %a /)" -gt 0
check "modules can be read" test -r /proc/modules
check "kallsyms has functions" matches /proc/kallsyms '^[0-9a-f]{16} [Tt] '
check "hostname is that of uname" same "$(cat /proc/sys/kernel/hostname)" "$(uname -n)"
check "osrelease is that of uname" same "$(cat /proc/sys/kernel/osrelease)" "$(uname -r)"
check "uuids differ" test "$(cat /proc/sys/kernel/random/uuid)" != "$(cat /proc/sys/kernel/random/uuid)"
check "the boot's id stays" same "$(cat /proc/sys/kernel/random/boot_id)" "$(cat /proc/sys/kernel/random/boot_id)"
panic=$(cat /proc/sys/kernel/panic)
check "what comes of a panic can be chosen" same "$(echo 7 > /proc/sys/kernel/panic; cat /proc/sys/kernel/panic)" 7
echo "$panic" > /proc/sys/kernel/panic
check "no oops and no warning has tainted the kernel" test $(($(cat /proc/sys/kernel/tainted) & 0x280)) = 0
check "/dev/fd is this process's" same "$(echo word | cat /dev/fd/0)" word
check "standard streams have names" same "$(echo word 2>/dev/null >/dev/stdout)" word
check "what cannot be written is not" sh -c '! echo x 2>/dev/null >/proc/version'
check "/proc lists this shell" same "$(for folder in /proc/[0-9]*; do [ "$folder" != "/proc/$$" ] || echo yes; done)" yes
check "/dev/null swallows" sh -c 'echo x >/dev/null'
check "/dev/zero gives zeros" same "$(dd if=/dev/zero bs=64 count=1 2>/dev/null | tr -d '\0' | wc -c)" 0
check "/dev/full is full" sh -c '! dd if=/dev/zero of=/dev/full bs=1 count=1'
check "/dev/urandom gives bytes" same "$(dd if=/dev/urandom bs=64 count=1 2>/dev/null | wc -c)" 64
mkdir -p /tmp/ramfs
check "ramfs passes over options that it does not know" mount -t ramfs -o size=64k,nonsense none /tmp/ramfs
umount /tmp/ramfs
check "/sys lists modules" test -d /sys/module
echo "1..$count"
[ "$failures" = 0 ]
