#!/bin/bash
# Power cuts of a guest that writes to ext4, at 1,200 points.
# seconds: 3600
load_seconds=60 points=400 guest_points=50
. "$ROOT/tests/host/ext4_power.sh"
