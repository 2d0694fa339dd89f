#!/bin/bash
# The instance of ext4 is replaced a thousand times under load.
# seconds: 1200
# shellcheck disable=SC2034 # for the test below
rebind_cycles=1000 rebind_blocks=4096
. "$ROOT/tests/host/rebind.sh"
