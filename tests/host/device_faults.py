#!/usr/bin/python3
"""Answers of devices that are wrong (docs/fault-injection.md): the driver refuses or stops the device, goes, and works when it
comes again. On the serial console, since the devices are those that the other tests' machines talk through. Debug build only.

seconds: 60
"""
import os
import re
import sys

from lib import Machine, case, run_cases, same

if os.environ["BUILD"] != "debug":
    sys.exit(77)
SEEDS = 6
machine = Machine(columns=200)
machine.prompt()


def failures():
    return int(re.search(r"^device .*failed (\d+)", machine.run("grep ^device /sys/kernel/debug/fail"), re.M)[1])


def set_fault(words):
    same(machine.run(f"echo device {words} > /sys/kernel/debug/fail"), "")


@case
def ring():
    """a buffer that the device does not have is refused, and its queue is stopped until the driver comes again"""
    before = failures()
    set_fault("every=1 times=1")
    machine.run("modprobe -r virtio_rng; modprobe virtio_rng; sleep 0.2")
    same(failures() - before, 1)
    assert "which it did not have; the queue is stopped" in machine.run("dmesg | tail -n 3")
    same(machine.run("dmesg -c >> /tmp/log; modprobe -r virtio_rng; modprobe virtio_rng; sleep 0.2; dmesg"), "")


@case
def configuration():
    """registers of PCI that read as all ones make a device unusable, and nothing worse"""
    before = failures()
    machine.run("rmmod virtio_rng virtio_pci")
    for seed in range(SEEDS):
        set_fault(f"chance={4 + 3 * seed} seed={seed} marked")
        machine.run("sh -c 'echo 1 > /proc/self/make-it-fail; modprobe virtio_pci; modprobe virtio_rng'")
        machine.run("rmmod virtio_rng virtio_pci")
    set_fault("off")
    assert failures() > before
    machine.run("dmesg -c >> /tmp/log; modprobe virtio_pci; modprobe virtio_rng")
    same(machine.run("dmesg; ls /dev/virtio-ports"), "kumo.status\n")


@case
def reports():
    """the kernel's checkers have nothing to report"""
    same(machine.run("dmesg >> /tmp/log; grep -c 'BUG: ' /tmp/log"), "0\n")


try:
    run_cases()
finally:
    machine.end()
