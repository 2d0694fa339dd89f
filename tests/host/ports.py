#!/usr/bin/python3
"""Ports of virtio-console in ways that the runner itself does not use them.

seconds: 120
"""
import os
import shutil
import subprocess
import tempfile

from lib import BUILD_DIR, KUMO, ROOT, Machine, case, kumo, run_cases, same

work = tempfile.mkdtemp(dir=BUILD_DIR)
program = os.path.join(work, "ports")
subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-static", "-pthread", "-o", program,
                os.path.join(ROOT, "tests/host/ports.c")], check=True)


@case
def several_readers():
    """threads that read one port together get each byte once"""
    data = bytes(i * i % 251 for i in range(400000))
    done = subprocess.run([*KUMO, "--timeout", "60", "--smp", "4", "--with", program, "--", "ports", "read"],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    same(done.stdout.decode(errors="replace"), f"{len(data)} bytes, sum {sum(data)}\n")


@case
def one_port():
    """a device without control messages is one console"""
    output = os.path.join(work, "output")
    done = kumo("--qemu", f"-device virtio-serial-pci,id=second,max_ports=1 -chardev file,id=out,path={output} "
                "-device virtconsole,chardev=out,bus=second.0",
                "--", "sh", "-c", "until [ -e /dev/hvc0 ]; do sleep 0.1; done; echo hello > /dev/hvc0; sleep 0.5")
    same((done.stdout, done.returncode), ("", 0))
    with open(output) as file:
        same(file.read(), "hello\n")


@case
def removed_while_watched():
    """a port may go while it is open and in an event set"""
    machine = Machine("--with", program, "--qemu", "-device virtio-serial-pci,id=second -chardev null,id=none "
                      "-device virtserialport,chardev=none,bus=second.0,name=held", columns=200)
    try:
        machine.prompt()
        machine.run("until [ -e /dev/virtio-ports/held ]; do sleep 0.1; done; dmesg -c > /tmp/log")
        same(machine.run("sh -c 'ports hold /dev/virtio-ports/held & sleep 0.5; rmmod virtio_rng virtio_pci; "
                         "kill -USR1 $!; wait'"), "held\nclosed\n")
        same(machine.run("modprobe virtio_pci; sleep 0.5; dmesg | grep BUG"), "")
    finally:
        machine.end()


try:
    run_cases()
finally:
    shutil.rmtree(work)
