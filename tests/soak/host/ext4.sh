#!/bin/bash
# ext4 on the host for long.
# seconds: 3600
ext4_steps=3000 ext4_points=1500 ext4_names=100000
. "$ROOT/tests/host/ext4.sh"
