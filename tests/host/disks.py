#!/usr/bin/python3
"""Disks, seen from both sides: what the guest reads of a disk is what the host's file has, and the other way round; partition tables;
disks that come, go, grow and stop answering while they are used (docs/block.md).

seconds: 300
"""
import hashlib
import json
import os
import re
import socket
import struct
import tempfile
import time
import uuid
import zlib

from lib import Machine, case, kumo, run_cases, same

SECTOR = 512
MIB = 1 << 20
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
folder = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(folder.name, name)


def disk_file(name, content):
    with open(path(name), "wb") as file:
        file.write(content)
    return path(name)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def gpt(size, partitions):
    """A disk of zeros with a GPT; partitions: (first sector, last sector, name)."""
    sectors = size // SECTOR
    image = bytearray(size)
    image[446:462] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, sectors - 1)
    image[510:512] = b"\x55\xaa"
    array = bytearray(128 * 128)
    for index, (first, last, name) in enumerate(partitions):
        array[index * 128:index * 128 + 128] = (LINUX_DATA.bytes_le + uuid.UUID(int=index + 1).bytes_le +
                                                struct.pack("<QQQ", first, last, 0) + name.encode("utf-16le").ljust(72, b"\0"))
    for place, other, entries in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)):
        header = bytearray(struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, place, other, 34, sectors - 34,
                                       uuid.UUID(int=99).bytes_le, entries, 128, 128, zlib.crc32(array)))
        header[16:20] = struct.pack("<I", zlib.crc32(header))
        image[place * SECTOR:place * SECTOR + 92] = header
        image[entries * SECTOR:entries * SECTOR + len(array)] = array
    return image


def mbr_table(*entries):
    """A table's block; entries: (type, first, count)."""
    block = bytearray(SECTOR)
    for index, (kind, first, count) in enumerate(entries):
        block[446 + 16 * index:462 + 16 * index] = struct.pack("<4sB3sII", bytes(4), kind, bytes(3), first, count)
    block[510:512] = b"\x55\xaa"
    return block


class Qmp:
    """QEMU's control socket."""

    def __init__(self, name):
        self.file = None
        for _ in range(400):
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(name)
                self.file = connection.makefile("rw")
                break
            except OSError:
                time.sleep(0.05)
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]


@case
def contents():
    """a disk reads as the host's file, and what is written to it is in the host's file"""
    content = os.urandom(5 * MIB + 3 * SECTOR)
    name = disk_file("plain.img", content)
    done = kumo("--disk", name, "--", "sh", "-ec",
                "sha256sum < /dev/vda; blockdev --getsize64 /dev/vda;"
                "dd if=/dev/zero of=/dev/vda bs=1000 seek=1 count=5 conv=notrunc,fsync 2> /dev/null; sha256sum < /dev/vda")
    after = content[:1000] + bytes(5000) + content[6000:]
    same(done.stdout.split(), [sha(content), "-", str(len(content)), sha(after), "-"])
    with open(name, "rb") as file:
        same(sha(file.read()), sha(after))


@case
def sizes():
    """block sizes of 4 KiB, one queue, no indirect descriptors, read-only disks: all read right"""
    content = os.urandom(2 * MIB)
    name = disk_file("sizes.img", content)
    for options in ("logical_block_size=4096,physical_block_size=4096", "num-queues=1,indirect_desc=off,queue-size=16"):
        done = kumo("--qemu", f"-drive file={name},format=raw,if=none,id=d -device virtio-blk-pci,drive=d,{options}", "--",
                    "sh", "-ec", "modprobe virtio_blk; sha256sum < /dev/vda")
        same(done.stdout.split(), [sha(content), "-"])
    done = kumo("--qemu", f"-drive file={name},format=raw,if=none,id=d,readonly=on -device virtio-blk-pci,drive=d", "--",
                "sh", "-c", "modprobe virtio_blk; cat /sys/block/vda/ro; echo > /dev/vda")
    same(done.stdout, "1\nsh: write error: Operation not permitted\n")


@case
def partitions_gpt():
    """partitions of a GPT appear with their names, also from the table at the end; Debian's lsblk shows them"""
    image = gpt(8 * MIB, [(2048, 4095, "first"), (4096, 8191, "zweite ä")])
    image[2048 * SECTOR:4096 * SECTOR] = first = os.urandom(MIB)
    name = disk_file("gpt.img", image)
    image[600:700] = bytes(100)  # damages the first header
    damaged = disk_file("damaged.img", image)
    done = kumo("--disk", name, "--disk", damaged, "--libs", "--with", "/usr/bin/lsblk", "--", "sh", "-ec",
                "sha256sum < /dev/vda1; cat /sys/class/block/vda2/start /sys/class/block/vda2/size; /bin/lsblk -nro NAME,MAJ:MIN,TYPE,SIZE;"
                "grep PARTNAME /sys/class/block/vdb2/uevent; dmesg | grep -o 'vdb: .*damaged'")
    same(done.stdout, f"{sha(first)}  -\n4096\n4096\nvda 254:0 disk 8M\nvda1 254:1 part 1M\nvda2 254:2 part 2M\n"
         "vdb 254:16 disk 8M\nvdb1 254:17 part 1M\nvdb2 254:18 part 2M\nPARTNAME=zweite ä\nvdb: the first GPT is damaged\n")


@case
def partitions_mbr():
    """primary and logical partitions of an MBR appear; what overlaps or leaves the disk does not"""
    image = bytearray(4 * MIB)
    image[:SECTOR] = mbr_table((0x83, 100, 50), (0x83, 120, 10), (0x05, 1000, 3000), (0x83, 8000, 1000))
    image[1000 * SECTOR:1001 * SECTOR] = mbr_table((0x83, 10, 100), (0x05, 500, 200))
    image[1500 * SECTOR:1501 * SECTOR] = mbr_table((0x83, 20, 30), (0x05, 500, 200))  # leads to itself
    done = kumo("--disk", disk_file("mbr.img", image), "--", "sh", "-c",
                "cd /sys/class/block; grep . */start; dmesg | grep -o 'vda: partition.*'")
    same(done.stdout, "vda1/start:100\nvda5/start:1010\nvda6/start:1520\nvda: partition 2 overlaps another\n"
         "vda: partition 4 reaches beyond the disk's end\nvda: partition 7 has a link that leads backwards or outside\n")


@case
def hotplug():
    """a disk that is plugged in appears; pulled out while it is read and written, it gives EIO; plugged in again, it works"""
    content = os.urandom(16 * MIB)
    name = disk_file("plug.img", content)
    machine = Machine("--cmdline", "quiet", "--machine", "q35", "--qemu", f"-qmp unix:{path('qmp')},server=on,wait=off "
                      "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off -device pcie-root-port,id=slot0,chassis=1,slot=1",
                      columns=200)
    try:
        machine.prompt()
        qmp = Qmp(path("qmp"))
        machine.run("modprobe virtio_blk")
        for turn in range(3):
            qmp("blockdev-add", **{"driver": "raw", "node-name": f"disk{turn}", "file": {"driver": "file", "filename": name}})
            qmp("device_add", **{"driver": "virtio-blk-pci", "id": "card", "drive": f"disk{turn}", "bus": "slot0", "disable-legacy": "on"})
            machine.run("until [ -b /dev/vda ]; do sleep 0.1; done")
            same(machine.run("sha256sum < /dev/vda").split()[0], sha(content))
            # Twice in a background, so that the shell says nothing when it ends.
            machine.run("rm -f /tmp/ended; ((while dd if=/dev/vda of=/dev/null bs=64k iflag=direct; do :; done 2> /tmp/why; echo > /tmp/ended) &)")
            machine.run("exec 7<>/dev/vda; sleep 0.5")
            qmp("device_del", id="card")
            machine.run("until [ ! -e /dev/vda -a -e /tmp/ended ]; do sleep 0.1; done")
            output = machine.run("dd of=/dev/null bs=4k count=1 <&7; exec 7>&-; ls /sys/block")
            assert "Input/output error" in output and "vda" not in output, output
            for _ in range(100):
                try:
                    qmp("blockdev-del", **{"node-name": f"disk{turn}"})
                    break
                except AssertionError:  # the card is still there
                    time.sleep(0.1)
        log = machine.run("dmesg")
        assert not re.search("BUG|Oops|WARN", log), log
        same(len(re.findall("a card came", log)), 3)
    finally:
        machine.end()


@case
def statistics():
    """/proc/diskstats and /sys/block/NAME/stat count requests, sectors and flushes as Linux does"""
    name = disk_file("counted.img", bytes(8 * MIB))
    done = kumo("--disk", name, "--libs", "--with", "/bin/dd:/bin/dd", "--with", "/sbin/blkdiscard", "--", "sh", "-ec", """
        show() { cut -c1-18 /proc/diskstats; sed 's/.*vda //' /proc/diskstats; tr -s ' ' < /sys/block/vda/stat; }
        show
        dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct 2> /dev/null; show
        dd if=/dev/zero of=/dev/vda bs=64k count=8 oflag=direct 2> /dev/null; show
        dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2> /dev/null; show
        blkdiscard /dev/vda; show""")
    lines = done.stdout.splitlines()
    counts = []
    for head, line, again in zip(lines[0::3], lines[1::3], lines[2::3]):
        same(head, " 254       0 vda " + line[:1])
        same(line, again.strip())
        words = [int(word) for word in line.split()]
        same(len(words), 17)
        same(words[8], 0)  # under way
        counts.append([words[index] for index in (0, 2, 4, 6, 11, 13, 15)])
    steps = [[now - before for now, before in zip(*pair)] for pair in zip(counts[1:], counts)]
    # reads, sectors, writes, sectors, discards, sectors, flushes; who waits for a flush counts as a write
    same(steps, [[16, 2048, 0, 0, 0, 0, 0], [0, 0, 8, 1024, 0, 0, 0], [0, 0, 2, 8, 0, 0, 1], [0, 0, 0, 0, 1, 16384, 0]])


@case
def growth():
    """a disk that grows is larger at once"""
    name = disk_file("grow.img", bytes(MIB))
    machine = Machine("--cmdline", "quiet", "--qemu", f"-qmp unix:{path('qmp2')},server=on,wait=off -blockdev driver=file,filename={name},node-name=file "
                      "-blockdev driver=raw,file=file,node-name=disk -device virtio-blk-pci,drive=disk,disable-legacy=on", columns=200)
    try:
        machine.prompt()
        qmp = Qmp(path("qmp2"))
        same(machine.run("modprobe virtio_blk; blockdev --getsize64 /dev/vda"), f"{MIB}\n")
        qmp("block_resize", **{"node-name": "disk", "size": 3 * MIB})
        machine.run(f"until [ $(blockdev --getsize64 /dev/vda) = {3 * MIB} ]; do sleep 0.1; done")
        same(machine.run("dd if=/dev/vda bs=1M 2> /dev/null | wc -c"), f"{3 * MIB}\n")
    finally:
        machine.end()


@case
def silence():
    """a disk that does not answer in time is reset: what waited too long fails, and the disk works on"""
    name = disk_file("slow.img", os.urandom(MIB))
    machine = Machine("--cmdline", "quiet", "--qemu", f"-qmp unix:{path('qmp3')},server=on,wait=off -drive file={name},format=raw,if=none,id=slow "
                      "-device virtio-blk-pci,drive=slow,disable-legacy=on", columns=200)
    try:
        machine.prompt()
        qmp = Qmp(path("qmp3"))
        machine.run("modprobe virtio_blk; echo 500 > /sys/block/vda/queue/io_timeout")
        slow = {"device": "slow", "bps": 1024, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
        qmp("block_set_io_throttle", **slow)
        output = machine.run("dd if=/dev/vda of=/dev/null bs=256k count=4", seconds=100)
        assert "Connection timed out" in output or "Input/output error" in output, output
        qmp("block_set_io_throttle", **dict(slow, bps=0))
        same(machine.run("sha256sum < /dev/vda", seconds=100).split()[0], sha(open(name, "rb").read()))
        assert "the device is reset" in machine.run("dmesg")
    finally:
        machine.end()


run_cases()
