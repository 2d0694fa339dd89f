#!/bin/bash
# The instances of ext4, of a RAM tree and of the sample counter are replaced a thousand times under load.
# seconds: 3600
rebind_cycles=1000 rebind_checks=4
. "$ROOT/tests/host/rebind.sh"

cycled() # TYPE SOURCE
{
	kumo --smp 4 --with "$BUILD_DIR/tests/rebind:/rebind" -- /rebind "$cycles" "$@"
}

check "a RAM tree is replaced $cycles times" cycled tmpfs none
check "a counter is replaced $cycles times" cycled counter none
