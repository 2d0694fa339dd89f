#!/bin/bash
# A report of a checker in any machine that a test starts is seen by `kumo test`, which makes the test fail.
. "$ROOT/tests/host/lib.sh"
plan 3

found=$(mktemp)
export KUMO_REPORTS=$found # else this test would fail by what it does on purpose

silent()
{
	kumo -- true && [[ ! -s $found ]]
}
reported()
{
	: > "$found"
	kumo "$@" -- sh -c 'echo "<3>BUG: test: on purpose" > /dev/kmsg' && grep -q '^BUG: test: on purpose' "$found"
}
check 'a machine without reports leaves none' silent
check 'a report is handed on' reported
check 'a report on a terminal, too' reported --tty
rm -f "$found"
