#!/usr/bin/python3
"""NMIs while programs enter and leave the kernel all the time: they may come between any two instructions.

seconds: 120
"""
import os
import shutil
import socket
import subprocess
import tempfile
import time

from lib import BUILD_DIR, KUMO, case, run_cases, same

COUNT = 300
work = tempfile.mkdtemp(dir=BUILD_DIR)


def connect(path):
    for _ in range(600):
        try:
            monitor = socket.socket(socket.AF_UNIX)
            monitor.connect(path)
            return monitor
        except OSError:
            time.sleep(0.1)
    raise AssertionError("QEMU has no monitor")


@case
def anywhere():
    """NMIs do no harm wherever they come, and the log tells of them"""
    path = os.path.join(work, "monitor")
    load = ("for i in 1 2 3; do dd if=/dev/zero of=/dev/null bs=1 count=100000000 2> /dev/null & done; "
            "echo ready; read -r line; kill $(jobs -p); dmesg | grep -c NMI; dmesg | grep -E 'BUG|Oops'; echo alive")
    machine = subprocess.Popen([*KUMO, "--timeout", "100", "--qemu", f"-monitor unix:{path},server,nowait", "--",
                                "sh", "-c", load], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    same(machine.stdout.readline(), "ready\n")
    monitor = connect(path)
    for _ in range(COUNT):
        monitor.send(b"nmi\n")
        time.sleep(0.01)
    seen, rest = machine.communicate("\n")[0].split("\n", 1)
    assert int(seen) >= COUNT // 2, seen
    same((rest, machine.returncode), ("alive\n", 0))


try:
    run_cases()
finally:
    shutil.rmtree(work)
