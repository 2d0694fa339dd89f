#!/bin/bash
# The reader of KTAP: what is whole passes, what is not fails.
. "$ROOT/tests/host/lib.sh"
plan 10

reads() # STATUS 'LAST LINE' TEXT
{
	local out
	out=$(printf '%b' "$3" | scripts/ktap.py)
	[[ $? == "$1" && ${out##*$'\n'} == "$2" ]] || { echo "$out"; return 1; }
}
nested='KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..2\n    ok 1 a\n    ok 2 b # SKIP slow\nok 1 s\n'
check 'nested' reads 0 '1 passed, 0 failed, 1 skipped' "$nested"
check 'behind time stamps' reads 0 '1 passed, 0 failed, 0 skipped' '[    0.1] KTAP version 1\n[    0.2] 1..1\nnoise\n[   11.2] ok 1 a\n'
check 'a failure' reads 1 '1 passed, 1 failed, 0 skipped' 'KTAP version 1\n1..2\nok 1 a\n# why\nnot ok 2 b\n'
check 'nothing' reads 1 '0 passed, 0 failed, 0 skipped' 'noise\n'
check 'no plan' reads 1 '1 passed, 1 failed, 0 skipped' 'KTAP version 1\nok 1 a\n'
check 'too few results' reads 1 '1 passed, 1 failed, 0 skipped' 'KTAP version 1\n1..2\nok 1 a\n'
check 'a number left out' reads 1 '2 passed, 1 failed, 0 skipped' 'KTAP version 1\n1..2\nok 1 a\nok 3 b\n'
check 'a silent stop in a group' reads 1 '1 passed, 2 failed, 0 skipped' 'KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\n'
check 'ok above a failure' reads 1 '0 passed, 2 failed, 0 skipped' 'KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 s\n'
check 'a report of a checker' reads 1 '1 passed, 1 failed, 0 skipped' 'KTAP version 1\n1..1\n[    0.2] BUG: lock: order\nok 1 a\n'
