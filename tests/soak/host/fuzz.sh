#!/bin/bash
# Each fuzz target for two minutes.
# seconds: 3600
fuzz_seconds=120
. "$ROOT/tests/host/fuzz.sh"
