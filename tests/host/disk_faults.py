#!/usr/bin/python3
"""Disks that fail (docs/fault-injection.md): errors come where they are due, are told once to each descriptor, and nothing hangs. Debug build only.

seconds: 60
"""
import os
import subprocess
import sys
import tempfile

from lib import ROOT, case, kumo, run_cases

if os.environ["BUILD"] != "debug":
    sys.exit(77)
folder = tempfile.TemporaryDirectory()
program, image, other = (os.path.join(folder.name, name) for name in ("disk_faults", "image", "other"))
subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-static", "-o", program, os.path.join(ROOT, "tests/host/disk_faults.c")], check=True)
for disk in (image, other):
    with open(disk, "wb") as file:
        file.truncate(32 << 20)
subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", image], check=True)


@case
def errors():
    """what fails on the disk is an error for who reads, writes or syncs, and the volume can be left"""
    done = kumo("--disk", image, "--disk", other, "--with", program, "--", "sh", "-c",
                "mount -t ext4 /dev/vda /mnt && disk_faults /mnt /dev/vdb && umount /mnt &&"
                "mount -t ext4 /dev/vda /mnt && [ $(stat -c %s /mnt/file) = 65536 ] && [ ! -e /mnt/new ] && umount /mnt", seconds=150)
    print(*(f"# {line}" for line in done.stdout.splitlines()), sep="\n")
    assert done.returncode == 0, f"status {done.returncode}"


@case
def repair():
    """what was stable before is there after a repair"""
    assert subprocess.run(["/sbin/e2fsck", "-fy", image], stdout=subprocess.DEVNULL).returncode < 4
    done = kumo("--disk", image, "--", "sh", "-c", "mount -t ext4 /dev/vda /mnt && [ $(stat -c %s /mnt/file) = 65536 ]")
    assert done.returncode == 0, done.stdout


run_cases()
