#!/usr/bin/python3
"""FAT and squashfs, and Linux: what Kumo wrote, Linux reads as Kumo does, file by file; and the other way round (docs/vfat.md).

seconds: 900
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

VOLUMES = (("2M", "-F 12 -s 1"), ("15M", "-F 12 -s 8"), ("40M", "-F 16 -s 8"), ("40M", "-F 32 -s 1"))
MAKE = """mkdir -p /m; for d in /dev/vd?; do mount -t vfat $d /m; cd /m; mkdir -p sub/Dir many
i=0; while [ $i -lt 60 ]; do echo $i > "many/a name that is long $i"; i=$((i + 1)); done
rm "many/A NAME that is long 7"; mv "many/a name that is long 8" sub/Moved.txt; mv sub/Dir other; echo x > SHORT.TXT; echo y > lower.txt
echo u > "$(printf '\\303\\244 \\342\\202\\254.txt')"; head -c 300000 /bin/busybox > part; truncate -s 200001 part; echo end >> part
dd if=/bin/busybox of=behind bs=1000 count=20 seek=30 2> /dev/null; truncate -s 100000 behind; chmod 555 lower.txt
touch -d @1500000001 SHORT.TXT; cd /; umount /m; done"""
LIST = """mkdir -p /m; for d in /dev/vd?; do mount -t vfat -o ro $d /m; cd /m; echo $d
find . | sort | while read -r f; do stat -c '%n %F %a %s %h %b %Y %X' "$f"; done; find . -type f -exec md5sum {} + | sort; cd /; umount /m; done"""
SQUASHFS = """mkdir -p /m; for d in /dev/vd?; do mount -t squashfs $d /m; cd /m; echo $d
find . | sort | while read -r f; do stat -c '%n %F %a %s %h %u %g %Y %i %t %T' "$f"; done; find . -type f -exec md5sum {} + | sort; cd /; umount /m; done"""
folder = tempfile.TemporaryDirectory()
peer = Peer(os.environ["BUILD_DIR"])
NEEDED = ("drivers/block/virtio_blk", "fs/nls/nls_cp437", "fs/nls/nls_ascii", "fs/fat/fat", "fs/fat/vfat", "fs/squashfs/squashfs")
modules = [glob.glob(os.path.join(peer.tree, f"lib/modules/*/kernel/{name}.ko"))[0] for name in NEEDED]


def run(system, disks, script):
    """Runs a script with all disks on "kumo" or "linux"; what it printed."""
    words, before = ["--build", os.environ["BUILD"]], ""
    if system == "linux":
        words = ["--build", "peer", "--cmdline", PEER_WORDS, *(word for path in modules for word in ("--with", f"{path}:/{os.path.basename(path)}"))]
        before = "".join(f"insmod /{os.path.basename(path)}; " for path in modules)
    done = subprocess.run([os.environ["KUMO"], "run", *words, "--timeout", "300", *(word for disk in disks for word in ("--disk", disk)),
                           "--", "sh", "-ec", before + script],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, (system, done.returncode, done.stdout[-500:], done.stderr[-1500:])
    return done.stdout.decode(errors="surrogateescape").splitlines()


def make(system):
    """Empty volumes, in which the system makes files; fsck.vfat finds nothing."""
    disks = []
    for index, (size, options) in enumerate(VOLUMES):
        disks.append(os.path.join(folder.name, f"disk{index}"))
        if os.path.exists(disks[-1]):
            os.remove(disks[-1])
        subprocess.run(["truncate", "-s", size, disks[-1]], check=True)
        subprocess.run(["mkfs.vfat", *options.split(), disks[-1]], check=True, stdout=subprocess.DEVNULL)
    run(system, disks, MAKE)
    for disk in disks:
        done = subprocess.run(["fsck.vfat", "-n", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, (disk, done.stdout)
    return disks


def compare(disks, script):
    """Both systems say the same of every disk."""
    kumo, linux = run("kumo", disks, script), run("linux", disks, script)
    for ours, theirs in zip(kumo, linux):
        same(ours, theirs)
    same(len(kumo), len(linux))
    assert len(kumo) > 100 * len(disks), len(kumo)


@case
def written():
    """what Kumo writes on FAT, fsck.vfat finds right and Linux reads"""
    compare(make("kumo"), LIST)


@case
def read():
    """what Linux writes on FAT, Kumo reads"""
    compare(make("linux"), LIST)


@case
def squashfs():
    """of squashfs both read the same"""
    source, disks = os.path.join(folder.name, "source"), []
    os.makedirs(os.path.join(source, "many"))
    for number in range(120):
        with open(os.path.join(source, f"many/name_{number}"), "w") as file:
            file.write("x" * number * 100)
    os.symlink("many/name_1", os.path.join(source, "link"))
    os.link(os.path.join(source, "many/name_2"), os.path.join(source, "again"))
    os.mkfifo(os.path.join(source, "pipe"))
    for compression in ("gzip", "zstd"):
        disks.append(os.path.join(folder.name, compression))
        subprocess.run(["mksquashfs", source, disks[-1], "-comp", compression, "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
    compare(disks, SQUASHFS)


run_cases()
