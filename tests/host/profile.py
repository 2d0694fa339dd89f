#!/usr/bin/python3
"""kumo profile: the stacks, the picture, and the files that a guest reads.

seconds: 180
"""
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

from lib import KUMO, case, kumo, run_cases, same

work = tempfile.mkdtemp()
SPIN = """
static void __attribute__((noinline)) burn(void) { for (volatile int i = 0; i < 100000000; i++); }
static void __attribute__((noinline)) caller(void) { burn(); __asm__ volatile(""); }
int main(void) { caller(); return 7; }
"""


def profile(*arguments):
    """`kumo profile`; status, the stacks with their counts, the picture's text, what it said."""
    output = os.path.join(work, "out.folded")
    done = subprocess.run([KUMO[0], "profile", *KUMO[2:], "--timeout", "90", "-o", output, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    with open(output) as file:
        lines = [line.rstrip("\n").rpartition(" ") for line in file]
    with open(output.removesuffix("folded") + "svg") as file:
        return done.returncode, {stack: int(count) for stack, _, count in lines}, file.read(), done.stdout


def share(stacks, pattern):
    """The part of the samples that are not idle whose stack matches."""
    busy = {stack: count for stack, count in stacks.items() if not stack.startswith("idle;")}
    return sum(count for stack, count in busy.items() if re.search(pattern, stack)) / sum(busy.values())


def spinner():
    source = os.path.join(work, "spinner.c")
    with open(source, "w") as file:
        file.write(SPIN)
    subprocess.run(["gcc", "-O1", "-fno-omit-frame-pointer", "-static", "-o", os.path.join(work, "spinner"), source], check=True)
    return os.path.join(work, "spinner")


@case
def user_time():
    """a program's loop is found by its function, below its callers, and its exit status comes back"""
    status, stacks, picture, said = profile("--with", spinner(), "--", "spinner")
    same(status, 7)
    assert "samples" in said and "no room" not in said, said
    assert share(stacks, r"^spinner;.*main;caller;burn$") > 0.5, stacks
    text = "".join(xml.etree.ElementTree.fromstring(picture).itertext())
    assert "burn: " in text and "spinner" in text, text


@case
def kernel_time():
    """a system call's work is found in the kernel, on its way from the entry"""
    _, stacks, _, _ = profile("--", "dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=3000")
    assert share(stacks, r"^dd;\[dd\];syscall_entry_\[k\];sys_read_\[k\];.*_\[k\]$") > 0.4, stacks


@case
def idle_time():
    """a machine that waits is idle, and the picture leaves that out unless asked"""
    _, stacks, picture, _ = profile("--", "sleep", "1")
    idle = sum(count for stack, count in stacks.items() if stack.startswith("idle;"))
    assert idle > 0.8 * sum(stacks.values()), stacks
    assert "idle: " not in picture
    assert "idle: " in profile("--idle", "--", "sleep", "0.1")[2]


@case
def counted_instructions():
    """with --icount the same run gives nearly the same number of samples"""
    counts = [sum(profile("--icount", "--rate", "2000", "--with", spinner(), "--", "spinner")[1].values()) for _ in range(2)]
    assert counts[0] > 100 and abs(counts[0] - counts[1]) < counts[0] / 20, counts


@case
def control():
    """the control file says what is wrong, forgets at a new start, and a full buffer counts what is lost"""
    script = """
        cd /sys/kernel/profile 2> /dev/null && echo there already
        modprobe profile buffer_kib=4 && cd /sys/kernel/profile
        for words in x start 'start 0' 'start 20001' 'start x'; do
            echo "$words" 2> /dev/null > ctl && echo "took $words"
        done
        cat ctl samples
        echo start 2000 > ctl
        head -n 1 ctl
        sleep 0.2
        echo stop > ctl
        awk '/lost/ { print ($2 > 0) } /samples/ { print ($2 > 10) }' ctl
        test $(sed -n 's/samples //p' ctl) = $(wc -l < samples) && echo all
        awk -F '\\t' 'NF != 7 || $2 !~ /^(idle|user|kernel)$/' samples
        cd /; rmmod profile; ls /sys/kernel/profile 2>/dev/null
        echo end
    """
    same(kumo("--", "sh", "-c", script).stdout, "stopped\nsamples 0\nlost 0\nrunning 2000\n1\n1\nall\nend\n")


@case
def removal():
    """the module goes while it samples and is read"""
    script = """
        for i in 1 2 3 4 5; do
            modprobe profile && echo start 20000 > /sys/kernel/profile/ctl
            (while cat /sys/kernel/profile/samples; do :; done) > /dev/null 2>&1 &
            sleep 0.1
            rmmod profile || echo busy
            wait
        done
        echo end
    """
    same(kumo("--smp", "4", "--", "sh", "-c", script).stdout, "end\n")


@case
def wrong_words():
    """without a command, or with an option that does not exist, it says so"""
    for words in ([], ["--nonsense", "--", "true"], ["--tty", "--", "true"]):
        done = subprocess.run([KUMO[0], "profile", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, check=False)
        same(done.returncode, 2)
        assert "kumo" in done.stderr and "samples" not in done.stderr, done.stderr
    help_text = subprocess.run([KUMO[0], "profile", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "--rate" in help_text


run_cases()
