#!/bin/bash
# For the tests beside this file: what they check with. KUMO, BUILD, BUILD_DIR and ROOT come from `kumo test`.
set -u
failures=0
number=0

kumo() { "$KUMO" run --build "$BUILD" --timeout "${seconds:-60}" "$@"; }

# check NAME COMMAND...: one line of KTAP, ok when COMMAND succeeds; what it printed goes before it.
check()
{
	local name=$1
	shift
	number=$((number + 1))
	if "$@" 2>&1 | sed -u 's/^/# /' && ((PIPESTATUS[0] == 0)); then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failures=$((failures + 1))
	fi
}

plan()
{
	echo 'KTAP version 1'
	echo "1..$1"
}
trap 'exit $((failures > 0))' EXIT
