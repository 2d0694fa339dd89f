#!/bin/bash
# A module that is asked for while it is coming: busybox's modprobe takes it for one that is there, the kernel does not.
. "$ROOT/tests/host/lib.sh"

opened() { kumo -- sh -c 'mknod /c c 120 0; modprobe coming & for i in $(seq 100); do grep -q "^coming.*Loading" /proc/modules && break; sleep 0.01; done; cat /c && wait'; }

plan 1
check 'who opens its device waits for it' opened
