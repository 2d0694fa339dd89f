#!/bin/bash
# Faults that end the machine say what they were, and the lock checker sees what no suite can make.
. "$ROOT/tests/host/lib.sh"
plan 4
export KUMO_REPORTS='' # what is reported here is made on purpose

# dies_of WORD TEXT: the fault ends the machine, and its console has the text.
dies_of()
{
	local output
	if output=$(kumo -- modprobe faults "fault=$1" 2>&1); then
		echo 'the machine lives'
		return 1
	fi
	grep -q "$2" <<< "$output" || { echo "$output"; return 1; }
}
check 'a stack that runs into its guard page' dies_of stack 'panic.*: kernel stack overflow'
if [[ $BUILD == debug ]]; then
	check 'a list whose links contradict each other' dies_of list 'panic.*: list corrupt at removal'
else
	check 'a list whose links contradict each other # SKIP only in the debug build' true
fi

# reports FAULT TEXT: the lock checker's line.
reports()
{
	local output
	output=$(kumo -- sh -c "modprobe faults fault=$1; dmesg" 2>&1)
	grep -q "BUG: lock: $2" <<< "$output" || { echo "$output" | tail -n 40; return 1; }
}
if [[ $BUILD == debug ]]; then
	check 'a lock held at the return to a program' reports held 'held on the way to user mode'
	check 'a lock held at the end of an interrupt handler' reports interrupt 'held at the end of an interrupt handler'
else
	check 'a lock held at the return to a program # SKIP only in the debug build' true
	check 'a lock held at the end of an interrupt handler # SKIP only in the debug build' true
fi
