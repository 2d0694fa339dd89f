#!/usr/bin/python3
"""Three machines in a row: A imports what B exports of its import of C, over virtio ports.

seconds: 400
"""
import os
import shutil
import subprocess
import tempfile
import time

from lib import BUILD_DIR, KUMO, case, run_cases, same

work = tempfile.mkdtemp(dir=BUILD_DIR)
WAIT = "until [ -e /dev/virtio-ports/{0} ]; do sleep 0.1; done; "


def ports(*names):
    """QEMU's options for a virtio port each; who has it with a + makes the socket, the other connects to it once it is there."""
    options = "-device virtio-serial-pci,id=far"
    for name in names:
        server = ",server=on,wait=off" if name[0] == "+" else ""
        name = name.strip("+")
        until = time.monotonic() + 60
        while not server and not os.path.exists(f"{work}/{name}") and time.monotonic() < until:
            time.sleep(0.05)
        options += (f" -chardev socket,id={name},path={work}/{name}{server}"
                    f" -device virtserialport,chardev={name},bus=far.0,name={name}")
    return ["--qemu", options]


def machine(options, script):
    return subprocess.Popen([*KUMO, "--timeout", "300", *options, "--", "sh", "-c", script], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


# What A does with files that lie in C.
CLIENT = WAIT.format("ab") + r"""
mkdir -p /n && import /dev/virtio-ports/ab /n && cd /n || exit 1
cat hello
echo from A > made && mkdir folder && mv made folder/moved && cat folder/moved
ln -s folder/moved link && readlink link && cat link
dd if=/dev/urandom of=/tmp/big bs=1000 count=700 2>/dev/null
cp /tmp/big big && cmp /tmp/big big && echo same
chmod 600 big && stat -c %a big
for i in $(seq 50); do echo $i > folder/$i; done; ls folder | wc -l; cat folder/* | tail -1
sh -c 'exec 3<>gone; rm gone; echo still here >&3; exec 3<&-' && echo unlinked
rm -r folder link && ls
cd / && umount /n
"""


@case
def three_machines():
    """files of C are used in A, through B"""
    c = machine(ports("+bc"), WAIT.format("bc") +
                "mkdir /tmp/x; echo hello from C > /tmp/x/hello; exportfs /tmp/x /dev/virtio-ports/bc; ls /tmp/x")
    b = machine(ports("bc", "+ab"), WAIT.format("bc") + "mkdir -p /n; import /dev/virtio-ports/bc /n || exit 1; " +
                WAIT.format("ab") + "exportfs /n /dev/virtio-ports/ab; umount /n")
    a = machine(ports("ab"), CLIENT)
    try:
        said = a.communicate()[0]
        same((said.split("\n"), a.returncode),
             (["hello from C", "from A", "folder/moved", "from A", "same", "600", "51", "from A", "unlinked", "big", "hello", ""], 0))
        same((b.communicate(timeout=60)[0], b.returncode), ("", 0))
        same((c.communicate(timeout=60)[0], c.returncode), ("big\nhello\n", 0))
    finally:
        for each in (a, b, c):
            each.kill()
            each.wait()


try:
    run_cases()
finally:
    shutil.rmtree(work)
