#!/bin/bash
# FAT on the host for long.
# seconds: 1800
vfat_steps=5000
. "$ROOT/tests/host/vfat.sh"
