#!/bin/bash
# The ways of booting: each machine must come up, see its processors and memory, and run a command.
# seconds: 280
. "$ROOT/tests/host/lib.sh"
plan 9

# up CPUS OPTIONS...
up()
{
	local cpus=$1 seen
	shift
	seen=$(kumo "$@" -- nproc) || return
	[[ $seen == "$cpus" ]] || { echo "processors: $seen"; return 1; }
}
check 'direct, 1 CPU' up 1 --smp 1
check 'direct, 2 CPUs' up 2 --smp 2
check 'direct, 4 CPUs' up 4 --smp 4
check 'direct, 64 MiB' up 1 --smp 1 --mem 64M
check 'direct, 5 GiB' up 2 --mem 5G
check 'direct, q35' up 2 --machine q35
check 'counting instructions' up 1 --icount
check 'GRUB on BIOS' up 2 --iso
check 'GRUB on UEFI' up 2 --uefi
