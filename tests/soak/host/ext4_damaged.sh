#!/bin/bash
# A thousand damaged images in the guest.
# seconds: 3600
count=1000
. "$ROOT/tests/host/ext4_damaged.sh"
