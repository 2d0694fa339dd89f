#!/bin/bash
# A thousand damaged images of each filesystem in the guest.
# seconds: 7200
count=1000
. "$ROOT/tests/host/damaged.sh"
