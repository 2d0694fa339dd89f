#!/bin/bash
# Interrupts of PCI devices in each of their forms. The runner's own ports are the virtio device: nothing comes out if theirs are lost.
# seconds: 120
. "$ROOT/tests/host/lib.sh"
plan 5

# vectors N: the device has N messages (MSI-X); QEMU offers one for each queue by itself.
vectors() { [[ $(kumo --qemu "-global virtio-serial-pci.vectors=$1" -- echo heard) == heard ]]; }
check 'MSI-X, a message for all queues' vectors 2
check 'MSI-X with too few messages: the pin' vectors 1
check 'the pin' vectors 0

# suite OPTIONS...: msi_test on a machine with these, without a case that was skipped.
suite()
{
	kumo "$@" --qemu '-device edu' -- sh -c \
		'modprobe msi_test; cat /sys/kernel/kunit/pci_interrupts/results' > "$work"
	cat "$work"
	grep -q '^ok 1 pci_interrupts' "$work" && ! grep -q SKIP "$work"
}
work=$(mktemp)
check 'the pin and MSI, pc' suite
check 'the pin and MSI, q35' suite --machine q35
rm "$work"
