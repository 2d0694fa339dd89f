#!/bin/bash
# Each fuzz target for a few seconds, from its corpus (docs/fuzzing.md). The sources are the same in every build.
# seconds: 400
[[ $BUILD == release ]] || exit 77
. "$ROOT/tests/host/lib.sh"
mapfile -t targets < <("$ROOT/tests/fuzz/run" --list)
plan "${#targets[@]}"
for target in "${targets[@]}"; do
	check "$target" "$ROOT/tests/fuzz/run" --seconds "${fuzz_seconds:-5}" "$target"
done
