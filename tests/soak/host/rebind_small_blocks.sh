#!/bin/bash
# The same as rebind.sh with blocks that are smaller than pages.
# seconds: 1200
# shellcheck disable=SC2034 # for the test below
rebind_cycles=1000 rebind_blocks=1024
. "$ROOT/tests/host/rebind.sh"
