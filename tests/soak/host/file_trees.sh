#!/bin/bash
# Files on disks for longer, and on Linux.
# seconds: 3000
trees_steps=4000 trees_seeds='1 2 3 4 5 6' trees_names=100000 trees_linux=1
. "$ROOT/tests/host/file_trees.sh"
