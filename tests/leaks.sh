#!/bin/sh
# The debug build's leak checker: what a module leaves behind is reported when it goes, and listed. Kumo only.
[ -r /sys/kernel/debug/allocations ] || exit 77
exec 2>&1

count=0
failed=0
ok() { # STATUS WHAT
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count $2"
	else
		echo "not ok $count $2"
		failed=1
	fi
}
logged() {
	dmesg | grep -q "$1"
	ok $? "the log has: $1"
}

echo 'KTAP version 1'
grep -q '^kernel [1-9][0-9]* [1-9]' /sys/kernel/debug/allocations
ok $? 'the list begins with the kernel'
grep -q '^  .*[+]0x' /sys/kernel/debug/allocations
ok $? 'the list has backtraces'

modprobe hello && modprobe -r hello
ok $? 'a module that gives back what it had comes and goes'
modprobe leaks && rmmod leaks
ok $? 'a module that does not, too'
logged 'leak: module leaks left 5 allocations, 49276 bytes'
logged 'leak: .*forgetful[+].*\[leaks\]'
modprobe leaks seen=1
logged 'leaks: 1 reports'
grep -q '^leaks 5 49276$' /sys/kernel/debug/allocations
ok $? 'the list has what was left'
modprobe leaks && rmmod leaks
modprobe leaks seen=1
logged 'leak: module leaks left 5 allocations, 49276 bytes'
[ "$(dmesg | grep -c 'leak: module leaks left')" = 2 ]
ok $? 'what was reported once is not reported again'
echo "1..$count"
exit $failed
