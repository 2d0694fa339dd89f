"""Writes cpio archives of the newc form, the same bytes for the same contents: no times, no owners, files in order."""
import os
import stat

BLOCK = 512  # an archive is padded to this, so that another can follow it


class Archive:
    """Entries by path in the guest, without a leading slash; written by write()."""

    def __init__(self):
        self.entries = {}  # path -> (mode, content)

    def folder(self, path, mode=None):
        """A folder and those that it lies in; without a mode one that is there stays as it is."""
        path = path.strip("/")
        if path:
            self.folder(os.path.dirname(path))
            if mode is not None or path not in self.entries:
                self.entries[path] = (stat.S_IFDIR | (0o755 if mode is None else mode), b"")

    def file(self, path, content, mode=0o644):
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFREG | mode, content)

    def link(self, path, target):
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFLNK | 0o777, target.encode())

    def copy(self, host, path, follow=False):
        """A file, link or folder of the host with all that is in it; of special files, nothing."""
        status = os.stat(host) if follow else os.lstat(host)
        if stat.S_ISDIR(status.st_mode):
            self.folder(path, stat.S_IMODE(status.st_mode))
            for name in sorted(os.listdir(host)):
                self.copy(os.path.join(host, name), os.path.join(path, name))
        elif stat.S_ISLNK(status.st_mode):
            self.link(path, os.readlink(host))
        elif stat.S_ISREG(status.st_mode):
            with open(host, "rb") as source:
                self.file(path, source.read(), stat.S_IMODE(status.st_mode))

    def write(self, output, present=()):
        """`present` names folders, or links to folders, that an archive before this one holds: they stay as they are."""
        pieces, size = [], 0

        def add(data):
            nonlocal size
            padding = -len(data) % 4
            pieces.append(data + b"\0" * padding)
            size += len(data) + padding

        def entry(number, path, mode, content):
            name = path.encode() + b"\0"
            fields = (number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
            add(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
            add(content)

        for number, (path, (mode, content)) in enumerate(sorted(self.entries.items()), 1):
            if not (path in present and stat.S_ISDIR(mode)):
                entry(number, path, mode, content)
        entry(0, "TRAILER!!!", 0, b"")
        add(b"\0" * (-size % BLOCK))
        output.write(b"".join(pieces))
