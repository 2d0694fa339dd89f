#!/bin/bash
# The instances of a RAM tree and of the sample counter, which hand over what they hold, are replaced a thousand times under load.
# seconds: 1200
# shellcheck disable=SC2034 # for the test below
rebind_cycles=1000 rebind_blocks='' rebind_checks=2
. "$ROOT/tests/host/rebind.sh"

cycled() # TYPE SOURCE
{
	kumo --smp 4 --with "$BUILD_DIR/tests/rebind:/rebind" -- /rebind "$cycles" "$@"
}

check "a RAM tree is replaced $cycles times" cycled tmpfs none
check "a counter is replaced $cycles times" cycled counter none
