#!/usr/bin/python3
"""ext4 and Linux: what Kumo wrote, Linux reads as Kumo does, file by file; and the other way round (docs/ext4.md).

seconds: 1200
"""
import glob
import os
import subprocess
import sys
import tempfile

ROOT = os.environ["ROOT"]
sys.path[:0] = [os.path.join(ROOT, "scripts"), os.path.join(ROOT, "tests/host")]
from lib import case, run_cases, same  # noqa: E402
from peer import PEER_WORDS, Peer  # noqa: E402

FEATURES = ("-b 4096", "-b 1024", "-t ext3", "-t ext2 -b 1024", "-O inline_data", "-O ^metadata_csum,^64bit -I 128", "-O meta_bg,^resize_inode",
            "-O large_dir,metadata_csum_seed,sparse_super2", "-O orphan_file,project -I 512", "-O fast_commit", "-O ^has_journal")
MAKE = "mkdir -p /m; n=0; for d in /dev/vd?; do n=$((n + 1)); mount $d /m; cd /m; ext4_tree make $n; cd /; umount /m; done"
LIST = "mkdir -p /m; for d in /dev/vd?; do mount -o ro $d /m; cd /m; echo $d; ext4_tree list; cd /; umount /m; done"
folder = tempfile.TemporaryDirectory()
program = os.path.join(folder.name, "ext4_tree")
disks = [os.path.join(folder.name, f"disk{index}") for index in range(len(FEATURES))]
peer = Peer(os.environ["BUILD_DIR"])
[virtio_blk] = glob.glob(os.path.join(peer.tree, "lib/modules/*/kernel/drivers/block/virtio_blk.ko"))


def run(system, script):
    """Runs a script with all disks on "kumo" or "linux"; what it printed."""
    words = ["--build", os.environ["BUILD"]]
    before = "modprobe ext4; "
    if system == "linux":
        words = ["--build", "peer", "--cmdline", PEER_WORDS, "--with", virtio_blk + ":/virtio_blk.ko"]
        before = "insmod /virtio_blk.ko; "
    done = subprocess.run([os.environ["KUMO"], "run", *words, "--timeout", "300", "--with", program,
                           *(word for disk in disks for word in ("--disk", disk)), "--", "sh", "-ec", before + script],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, (system, done.returncode, done.stdout[-500:], done.stderr[-1500:])
    return done.stdout.decode(errors="surrogateescape").splitlines()


def make(system):
    """Empty filesystems, in which the system makes a tree each."""
    for disk, features in zip(disks, FEATURES):
        with open(disk, "wb") as file:
            file.truncate(48 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", *features.split(), disk], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run(system, MAKE)
    for disk, features in zip(disks, FEATURES):
        done = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, (features, done.stdout)


def compare():
    """Both systems say the same of every disk."""
    kumo, linux = run("kumo", LIST), run("linux", LIST)
    for ours, theirs in zip(kumo, linux):
        same(ours, theirs)
    same(len(kumo), len(linux))
    assert len(kumo) > 600 * len(disks), len(kumo)


@case
def built():
    """the program is built"""
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-static", "-o", program, os.path.join(ROOT, "tests/host/ext4_tree.c")], check=True)


@case
def written():
    """what Kumo writes, e2fsck finds right and Linux reads"""
    make("kumo")
    compare()


@case
def read():
    """what Linux writes, Kumo reads"""
    make("linux")
    compare()


@case
def written_on():
    """what Linux wrote, Kumo writes on, and Linux reads"""
    more = MAKE.replace("cd /m; ", "mkdir /m/more; mv /m/names /m/more/names; rm -r /m/sizes; cd /m/more; mv names kept; ")
    run("kumo", more)
    for disk, features in zip(disks, FEATURES):
        done = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, (features, done.stdout)
    compare()


run_cases()
