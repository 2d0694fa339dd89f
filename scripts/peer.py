#!/usr/bin/python3 -B
"""Debian's kernels for Linux, laid out so that `kumo run --build peer` boots them with Kumo's own init: what Kumo is compared with.
The cloud kernel (linux-image-cloud-amd64) in build/peer; the common one (linux-image-amd64), which has a 9P client, in build/peer-9p.
Each is fetched on the first use; remove its folder to fetch the newest."""
import glob
import os
import re
import shutil
import subprocess
import sys

import cpio

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PEER = os.path.join(ROOT, "build/peer")
IMAGE = "linux-image-cloud-amd64"
PEER_9P = os.path.join(ROOT, "build/peer-9p")
IMAGE_9P = "linux-image-amd64"
# The harder peer.
PEER_WORDS = "rdinit=/peer/init mitigations=off init_on_alloc=0"
# What Kumo's init loads, by Linux's names.
PEER_MODULES = ("virtio_pci", "virtio_console", "virtio_rng")
PEER_9P_MODULES = (*PEER_MODULES, "9p", "9pnet_virtio")
# What it can load beside that in a machine with disks.
DISK_MODULES = ("virtio_blk", "loop", "ext4", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8", "squashfs")
ARCHIVES = ("userland.cpio", "system.cpio")  # of the initramfs


class Failure(Exception):
    """Something that nothing can be measured without."""


def run(words, **options):
    """A command of the host that must succeed; its output."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise Failure(f"{' '.join(words[:4])}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def dependency(package, pattern):
    """The package that a meta-package stands for now."""
    found = re.findall(rf"Depends: ({pattern})$", run(["apt-cache", "depends", package]), re.M)
    if not found:
        raise Failure(f"apt knows no {package}")
    return found[0]


def unpack(packages, folder):
    """Downloads packages by name and puts what is in them below `folder`."""
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    work = folder + ".new"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    print("peer: fetching", *packages, file=sys.stderr)
    run(["apt-get", "download", "-qq", *sandbox, *packages], cwd=work)
    for archive in glob.glob(os.path.join(work, "*.deb")):
        run(["dpkg", "-x", archive, work])
        os.remove(archive)
    os.rename(work, folder)


def fetch(name, packages, folder=PEER):
    """build/peer/NAME with the packages in it; `packages` is a function, for apt's lists may have to be fetched first."""
    folder = os.path.join(folder, name)
    if not os.path.exists(folder):
        try:
            unpack(packages(), folder)
        except Failure:
            root = [] if os.geteuid() == 0 else ["sudo"]
            run([*root, "apt-get", "update", "-qq"])
            unpack(packages(), folder)
    return folder


class Peer:
    """Linux, laid out in a folder of build/ so that `kumo run --build` with its name boots it."""

    def __init__(self, build, folder=PEER, image_package=IMAGE, modules=PEER_MODULES):
        self.folder = folder
        self.tree = fetch("image", lambda: [dependency(image_package, r"linux-image-\S+")], folder)
        [image] = glob.glob(os.path.join(self.tree, "boot/vmlinuz-*"))
        self.release = os.path.basename(image).removeprefix("vmlinuz-")
        self.version = self.find_version(image)
        link = os.path.join(folder, "kumo")
        if os.path.lexists(link):
            os.remove(link)
        os.symlink(os.path.relpath(image, folder), link)
        self.write_initramfs(build, modules)

    @staticmethod
    def find_version(image):
        with open(image, "rb") as file:
            found = re.search(rb"Debian [0-9][\w.+~-]*", file.read(1 << 16))
        return found[0].decode() if found else ""

    def modules(self, names):
        """Paths of modules and what they need, in the order in which they can be loaded."""
        run(["/sbin/depmod", "-b", self.tree, self.release])
        top = os.path.join(self.tree, "lib/modules", self.release)
        needs = {}
        with open(os.path.join(top, "modules.dep")) as lines:
            for line in lines:
                path, _, words = line.partition(":")
                needs[path] = words.split()
        by_name = {os.path.basename(path).split(".")[0].replace("-", "_"): path for path in needs}
        order = []
        for path in (by_name[name] for name in names if name in by_name):
            order += [each for each in [*reversed(needs[path]), path] if each not in order]
        return [os.path.join(top, path) for path in order]

    def write_initramfs(self, build, modules):
        """Kumo's two archives; to the second is appended what Linux needs to come as far as Kumo's init."""
        archive = cpio.Archive()
        archive.copy(os.path.join(build, "bench/peer_init"), "peer/init", follow=True)
        names = []
        for path in self.modules(modules):
            stripped = os.path.join(self.folder, os.path.basename(path))
            run(["strip", "-g", "-o", stripped, path])  # the signature goes, too
            with open(stripped, "rb") as module:
                archive.file("peer/" + os.path.basename(path), module.read())
            os.remove(stripped)
            names.append("/peer/" + os.path.basename(path))
        archive.file("peer/modules", "".join(name + "\n" for name in names).encode())
        # Kumo's init has nothing left to load.
        archive.file(f"lib/modules/{self.release}/modules.init", b"")
        for name in ARCHIVES:
            shutil.copyfile(os.path.join(build, name), os.path.join(self.folder, name))
        with open(os.path.join(self.folder, ARCHIVES[-1]), "ab") as file:
            archive.write(file, present={"lib", "lib/modules"})

    def disk_words(self):
        """Words for `kumo run`, with which Linux finds the modules of disks and their filesystems, as modprobe does."""
        stage = os.path.join(self.folder, "disk")
        top = os.path.join(stage, "lib/modules", self.release)
        if not os.path.exists(os.path.join(top, "modules.dep")):
            shutil.rmtree(stage, ignore_errors=True)
            os.makedirs(top)
            for path in self.modules(DISK_MODULES):
                run(["strip", "-g", "-o", os.path.join(top, os.path.basename(path)), path])
            run(["/sbin/depmod", "-b", stage, self.release])
        return ["--with", os.path.join(stage, "lib") + ":/lib"]


def main():
    """usage: peer.py BUILD_FOLDER: prints the words with which `kumo run` starts Linux, disks and their filesystems included."""
    try:
        print("--build", "peer", "--cmdline", f'"{PEER_WORDS}"', *Peer(sys.argv[1]).disk_words())
    except Failure as failure:
        sys.exit(f"peer: {failure}")


if __name__ == "__main__":
    main()
