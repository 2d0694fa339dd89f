#!/bin/bash
# A thousand damaged FAT volumes and as many squashfs images in the guest.
# seconds: 7200
count=1000
. "$ROOT/tests/host/fat_damaged.sh"
