#!/bin/bash
# Each fuzz target for two minutes.
# seconds: 1200
fuzz_seconds=120
. "$ROOT/tests/host/fuzz.sh"
