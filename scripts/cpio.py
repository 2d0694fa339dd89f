"""Writes cpio archives of the newc form, the same bytes for the same contents: files in order, no times unless asked for."""
import os
import shutil
import stat
from dataclasses import dataclass

# Contents of a page or more start at a page, by NULs at the end of the name (but for one in a hundred, whose name would become too
# long), and an archive ends at one, so that another can follow it: the kernel then takes whole pages of the archive for the
# file's pages.
PAGE = 4096
HEADER = 110
LONGEST_NAME = 4096  # with the NULs: Linux passes over what has a longer one


@dataclass
class Entry:
    mode: int
    content: bytes = b""
    host: str = None  # where the content is, instead
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    same: str = None  # the path of this archive that it is another link of


class Archive:
    """Entries by path in the guest, without a leading slash; written by write()."""

    def __init__(self, times=False):
        self.times = times
        self.entries = {}

    def folder(self, path, mode=None):
        """A folder and those that it lies in; without a mode one that is there stays as it is."""
        path = path.strip("/")
        if path:
            self.folder(os.path.dirname(path))
            if mode is not None or path not in self.entries:
                self.entries[path] = Entry(stat.S_IFDIR | (0o755 if mode is None else mode))

    def add(self, path, entry):
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = entry

    def file(self, path, content, mode=0o644):
        self.add(path, Entry(stat.S_IFREG | mode, content))

    def link(self, path, target):
        self.add(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def copy(self, host, path, follow=False):
        """A file, link or folder of the host with all that is in it; of special files, nothing. A file FOLDER.owners beside a
        folder (scripts/rootfs makes it) says whose its files are, in lines 'UID GID MODE PATH'; else they are root's."""
        linked = {}
        self._copy(host, path.strip("/"), follow, linked)
        if os.path.isdir(host) and os.path.exists(host.rstrip("/") + ".owners"):
            with open(host.rstrip("/") + ".owners") as lines:
                for line in lines:
                    if not line.startswith("#"):
                        uid, gid, mode, name = line.rstrip("\n").split(" ", 3)
                        entry = self.entries.get(os.path.normpath(os.path.join(path, name)).strip("/"))
                        if entry:
                            entry.uid, entry.gid = int(uid), int(gid)
                            entry.mode = stat.S_IFMT(entry.mode) | int(mode, 8)

    def _copy(self, host, path, follow, linked):
        status = os.stat(host) if follow else os.lstat(host)
        if stat.S_ISDIR(status.st_mode):
            self.folder(path, stat.S_IMODE(status.st_mode))
            for name in sorted(os.listdir(host)):
                self._copy(os.path.join(host, name), os.path.join(path, name), False, linked)
        elif stat.S_ISLNK(status.st_mode):
            self.link(path, os.readlink(host))
        elif stat.S_ISREG(status.st_mode):
            first = linked.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
            self.add(path, Entry(status.st_mode, host=host, same=first if first != path else None))
        if self.times and path in self.entries:
            self.entries[path].mtime = int(status.st_mtime)

    def write(self, output, present=()):
        """`present` names folders, or links to folders, that an archive before this one holds: they stay as they are."""
        numbers = {}
        links = {}
        for entry in self.entries.values():
            if entry.same:
                links[entry.same] = links.get(entry.same, 1) + 1
        written = sorted(path for path, entry in self.entries.items() if not (path in present and stat.S_ISDIR(entry.mode)))
        # The first link of a file brings its contents, whatever the order of names.
        for number, path in enumerate(sorted(written, key=lambda path: self.entries[path].same is not None), 1):
            entry = self.entries[path]
            numbers[path] = numbers[entry.same] if entry.same else number
            _write_entry(output, numbers[path], path, entry, links.get(entry.same or path, 1))
        _write_entry(output, 0, "TRAILER!!!", Entry(0), 1)
        output.write(b"\0" * (-output.tell() % PAGE))


def _write_entry(output, number, path, entry, links):
    size = 0 if entry.same else os.stat(entry.host).st_size if entry.host else len(entry.content)
    name = path.encode() + b"\0"
    start = output.tell() + HEADER + len(name)
    padding = -start % PAGE
    name += b"\0" * (padding if size >= PAGE and len(name) + padding <= LONGEST_NAME else -start % 4)
    fields = (number, entry.mode, entry.uid, entry.gid, 2 if stat.S_ISDIR(entry.mode) else links, entry.mtime, size,
              0, 0, 0, 0, len(name), 0)
    output.write(b"070701" + b"".join(b"%08x" % (field & 0xFFFFFFFF) for field in fields) + name)
    if entry.host and size:
        with open(entry.host, "rb") as source:
            shutil.copyfileobj(source, output)
    elif size:
        output.write(entry.content)
    output.write(b"\0" * (-output.tell() % 4))
