#!/usr/bin/python3
"""Debian's own dynamically linked programs in a guest: kmod's tools on our modules, and a few of everyone's.

seconds: 240
"""
import os
import re
import shutil
import struct
import subprocess
import tempfile

from lib import BUILD_DIR, ROOT, case, kumo, run_cases, same

RELEASE = "6.1.0-kumo"
HELLO = os.path.join(BUILD_DIR, "modules/samples/hello/hello.ko")
MODULES = f"/lib/modules/{RELEASE}/kernel/modules/samples"
TOOLS = ("modprobe", "modinfo", "lsmod", "insmod", "rmmod", "depmod")

work = tempfile.mkdtemp()


def guest(script, *options):
    """What a shell in a guest prints that has kmod's tools in /kmod, and in /work what lies in `work`."""
    tools = os.path.join(work, "kmod")
    if not os.path.isdir(tools):
        os.mkdir(tools)
        for tool in TOOLS:
            os.symlink("/bin/kmod", os.path.join(tools, tool))
    done = kumo("--libs", "--with", "/bin/kmod", "--with", tools, "--with", f"{work}:/work", *options, "--",
                "sh", "-c", "echo /kmod/modprobe > /proc/sys/kernel/modprobe\n" + script)
    # kmod ends its lines of insmod with a blank.
    return re.sub(r" +$", "", done.stdout, flags=re.M) + (f"status {done.returncode}\n" if done.returncode else "")


def changed(name, old, new):
    """A copy of hello.ko with other bytes of the same number."""
    with open(HELLO, "rb") as file:
        data = file.read()
    assert old in data and len(old) == len(new)
    with open(os.path.join(work, name), "wb") as file:
        file.write(data.replace(old, new))


@case
def insert_and_remove():
    """modprobe -v inserts what a module needs first, modprobe -r removes it with what nobody needs any more"""
    same(guest("""
        /kmod/modprobe -v hello_user
        /kmod/lsmod | grep hello | sed 's/ [0-9][0-9]* / SIZE /'
        cat /sys/module/hello/refcnt /sys/module/hello/initstate
        ls /sys/module/hello/holders
        cd -P /sys/module/hello/holders/hello_user && pwd
        /kmod/modprobe -v -r hello_user
        ls -d /sys/module/hello*
    """), f"""insmod {MODULES}/hello/hello.ko
insmod {MODULES}/hello_user/hello_user.ko
hello_user             SIZE  0
hello                  SIZE  1 hello_user
1
live
hello_user
/sys/module/hello_user
rmmod hello_user
rmmod hello
ls: /sys/module/hello*: No such file or directory
status 1
""")


@case
def info():
    """modinfo shows what the module says of itself"""
    same(guest("/kmod/modinfo hello"), f"""filename:       {MODULES}/hello/hello.ko
version:        1.0
description:    a sample: parameters, exports, a line in the log
license:        MIT
depends:
vermagic:       {RELEASE} SMP mod_unload modversions
name:           hello
parm:           times:how often to say hello (int)
parm:           whom:whom to greet (charp)
parm:           quiet:say nothing when loaded and removed (bool)
parm:           primes:numbers for nothing, to show an array (array of int)
parm:           tag:a short text (string)
""")


@case
def busy():
    """a module that is used stays, and the tools say why"""
    same(guest("""
        /kmod/modprobe hello_user quiet=1
        /kmod/rmmod hello
        /kmod/modprobe -r hello
        mount -t counter none /n
        /kmod/rmmod counter
        umount /n
        /kmod/rmmod counter && /kmod/rmmod hello_user hello
        /kmod/rmmod hello
    """), """rmmod: ERROR: Module hello is in use by: hello_user
modprobe: FATAL: Module hello is in use.
rmmod: ERROR: Module counter is in use
rmmod: ERROR: Module hello is not currently loaded
status 1
""")


@case
def refused():
    """what does not fit this kernel is refused, with Linux's reasons"""
    versioned = b"printk\0"
    with open(HELLO, "rb") as file:
        data = file.read()
    entry = data.index(struct.pack("<56s", versioned)) - 8
    checksum = data[entry : entry + 8]
    changed("type.ko", data[entry : entry + 64], bytes([checksum[0] ^ 1]) + data[entry + 1 : entry + 64])
    changed("symbol.ko", b"\0" + versioned, b"\0prinkt\0")
    changed("magic.ko", b" SMP mod_unload ", b" SMP preempt    ")
    changed("release.ko", b"vermagic=6.1.0", b"vermagic=5.9.9")
    with open(os.path.join(work, "short.ko"), "wb") as file:
        file.write(data[: len(data) // 2])
    with open(os.path.join(work, "text.ko"), "w") as file:
        file.write("no module\n" * 100)
    same(guest("""
        cd /work
        for each in type symbol magic short text; do
            /kmod/insmod ./$each.ko
        done
        /kmod/modprobe nosuch
        /kmod/insmod ./release.ko && /kmod/insmod ./release.ko
        /kmod/lsmod | grep -c hello
        dmesg | grep module: | sed 's/^.*module: //'
    """), f"""insmod: ERROR: could not insert module ./type.ko: Invalid parameters
insmod: ERROR: could not insert module ./symbol.ko: Unknown symbol in module
insmod: ERROR: could not insert module ./magic.ko: Invalid module format
insmod: ERROR: could not insert module ./short.ko: Invalid module format
insmod: ERROR: could not insert module ./text.ko: Invalid module format
modprobe: FATAL: Module nosuch not found in directory /lib/modules/{RELEASE}
insmod: ERROR: could not insert module ./release.ko: File exists
1
hello: disagrees about version of symbol printk
hello: Unknown symbol printk (err -22)
hello: Unknown symbol prinkt (err -2)
hello: version magic '{RELEASE} SMP preempt    modversions ' should be '{RELEASE} SMP mod_unload modversions '
file: section table lies outside the file or is not aligned
file: not an ELF file of 64 bits, least significant byte first
""")


@case
def forced():
    """--force-vermagic and --force-modversion insert it all the same, and it is marked"""
    same(guest(f"""
        cat /proc/sys/kernel/tainted
        cp /work/magic.ko {MODULES}/hello/hello.ko
        /kmod/modprobe hello
        /kmod/modprobe --force-vermagic hello && /kmod/modprobe -r hello
        cp /work/type.ko {MODULES}/hello/hello.ko
        /kmod/modprobe hello
        /kmod/modprobe --force-modversion hello
        grep -c '^hello .* (F)$' /proc/modules
        cat /sys/module/hello/taint /proc/sys/kernel/tainted
        dmesg | grep -c 'hello, world'
    """), """0
modprobe: ERROR: could not insert 'hello': Exec format error
modprobe: ERROR: could not insert 'hello': Invalid argument
1
F
2
2
""")


@case
def parameters():
    """parameters come from the command line, configuration and the kernel's; some can be written later"""
    same(guest("""
        cd /sys/module/hello/parameters 2> /dev/null
        mkdir -p /etc/modprobe.d
        echo 'options hello tag=configured' > /etc/modprobe.d/hello.conf
        /kmod/modprobe hello whom="big moon" primes=11,13
        cd /sys/module/hello/parameters
        head *
        echo 5 > times && echo 0 > quiet && cat times quiet
        echo words > times
        echo x > whom
        /kmod/rmmod hello
        /kmod/modprobe hello times=abc
        /kmod/modprobe hello times=1 nosuch=1 && dmesg | grep -o 'unknown parameter.*'
        cat /sys/module/hello/parameters/whom
    """, "--cmdline", "hello.times=2 hello.quiet"), """==> primes <==
11,13

==> quiet <==
Y

==> tag <==
configured

==> times <==
2

==> whom <==
big moon
5
N
sh: write error: Invalid argument
sh: can't create whom: Permission denied
modprobe: ERROR: could not insert 'hello': Invalid argument
unknown parameter 'nosuch' ignored
world
""")


@case
def aliases():
    """modules are found by their aliases, by people and by the kernel"""
    same(guest("""
        /kmod/modprobe -R pci:v00001AF4d00001005sv00001AF4sd00000004bc00scFFi00
        /kmod/modprobe -R virtio:d00000004v00001AF4
        mount -t counter none /n && cat /n/value && grep -c ^counter /proc/modules
        mount -t nosuch none /mnt
        mkdir /etc/modprobe.d
        echo 'alias char-major-200-7 hello' > /etc/modprobe.d/hello.conf
        mknod /dev/seven c 200 7
        cat /dev/seven
        grep -c ^hello /proc/modules
        /kmod/modprobe -r hello
        echo > /proc/sys/kernel/modprobe
        cat /dev/seven
        grep -c ^hello /proc/modules
    """), """virtio_pci
virtio_rng
0
1
mount: mounting none on /mnt failed: No such device
cat: can't open '/dev/seven': No such device or address
1
cat: can't open '/dev/seven': No such device or address
0
status 1
""")


@case
def outside():
    """a module outside the tree is made beside its source, inserted and removed"""
    folder = os.path.join(work, "outside")
    shutil.copytree(os.path.join(ROOT, "tests/outside/hello"), folder,
                    ignore=lambda _, names: [each for each in names if each not in ("Makefile", "outside.c")])
    subprocess.run(["make", "-s", "-C", ROOT, f"M={folder}", f"BUILD={os.environ['BUILD']}"], check=True)
    subprocess.run(["strip", "--strip-debug", os.path.join(folder, "outside.ko")], check=True)
    same(guest("""
        /kmod/insmod /work/outside/outside.ko text='"made outside"' && cat /sys/module/outside/parameters/text
        /kmod/rmmod outside
        insmod /work/outside/outside.ko && rmmod outside
        dmesg | grep -o 'outside: .*'
    """), "made outside\noutside: made outside\noutside: from outside the tree\n")


@case
def busybox():
    """busybox's insmod, rmmod, lsmod, modprobe and modinfo do as well"""
    same(guest(f"""
        modprobe hello_user times=2
        lsmod | grep -c hello
        modprobe -r hello_user
        insmod {MODULES}/hello/hello.ko whom=you && rmmod hello && rmmod hello
        insmod /work/magic.ko
        modinfo -F license hello
        dmesg | grep -o 'hello: .*you'
    """), """2
rmmod: can't unload module 'hello': No such file or directory
insmod: can't insert '/work/magic.ko': invalid module format
MIT
hello: hello, you
hello: goodbye, you
""")


@case
def indexes():
    """depmod finds nothing wrong, on the host and in the guest"""
    stage = next(os.path.join(BUILD_DIR, *each.split("/")) for each in ("stage", "root", "initramfs")
                 if os.path.isdir(os.path.join(BUILD_DIR, each, "lib/modules")))
    copy = os.path.join(work, "stage")
    shutil.copytree(stage, copy)
    done = subprocess.run(["/sbin/depmod", "-e", "-E", os.path.join(BUILD_DIR, "Module.symvers"), "-b", copy, RELEASE],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    shutil.rmtree(copy)
    same((done.returncode, done.stdout), (0, ""))
    same(guest("/kmod/depmod -a && /kmod/modprobe hello_user && grep -c hello /proc/modules"), "2\n")


@case
def others():
    """bash, env, ls and stat of Debian run as they are"""
    options = [word for name in ("bash", "ls", "stat", "env", "sort") for word in
               ("--with", f"{shutil.which(name, path='/usr/bin:/bin')}:/deb/{name}")]
    same(guest("""
        /deb/env -i A=1 B=2 /deb/env
        /deb/bash -c 'a=(3 1 2); printf "%s\\\\n" "${a[@]}" | /deb/sort | tr "\\\\n" " "; echo "${BASH_VERSION%%.*} $((7 ** 3))"'
        /deb/bash -c 'diff <(echo a) <(echo b) > /dev/null; echo $?; (exit 3) & wait $!; echo $?; read -t 0.1 < <(sleep 1); echo $?'
        /deb/ls -d /proc/self /dev/null
        /deb/ls /nosuch
        /deb/stat -c '%F %t %T %a' /dev/null
    """, *options), """A=1
B=2
1 2 3 5 343
1
3
142
/dev/null
/proc/self
/deb/ls: cannot access '/nosuch': No such file or directory
character special file 1 3 666
""")


try:
    run_cases()
finally:
    shutil.rmtree(work)
