#!/usr/bin/python3 -B
"""Debian's programs, unmodified, from a tree that scripts/rootfs makes: each with a command that shows that it works, on Kumo and on
Debian's Linux in the same machine. What came of each is kept in build/programs.json, of which docs/programs.md gets its
tables.

Beside `kumo test --soak` it can be called by hand: programs.py [--tree TREE] [--kumo-only] [NAME...], where NAME is a pattern of
programs and suites; these are then renewed.

seconds: 5400
"""
import argparse
import datetime
import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from peer import PEER, PEER_WORDS, Failure, Peer, dependency, fetch, run  # noqa: E402

PACKAGES = os.path.join(ROOT, "tests/programs.packages")
MEMORY = "3G"
PROGRAM_SECONDS = 120
MACHINE_SECONDS = 2400


@dataclass
class Program:
    name: str
    command: str  # for bash, in an empty folder
    expected: str  # a pattern that its output (both streams) must have in it; and its status must be 0


PROGRAMS = (
    Program("bash", "a=(1 2 3); echo ${#a[@]} $(( ${a[2]} ** 3 )); cat <(echo sub) | tr a-z A-Z", "3 27\nSUB"),
    Program("coreutils", "cp -a /etc e && ls -lR e | sort | md5sum && du -s e && dd if=/dev/zero of=z bs=1M count=4 && "
            "split -n 4 z && cat xa? | cmp - z && stat -c %s z", "^4194304$"),
    Program("findutils", "find /usr/bin -name 'p*' -type f -print0 | xargs -0 -P2 -n8 wc -c | grep -c total", r"^\d+$"),
    Program("grep", "grep -rc '^root:' /etc/passwd", "^1$"),
    Program("sed", "sed -n 's/^root:.*:/ROOT:/p' /etc/passwd", "^ROOT:/bin/bash$"),
    Program("gawk", "gawk -F: '{ n[$7]++ } END { print n[\"/bin/bash\"] }' /etc/passwd", "^1$"),
    Program("tar, gzip", "tar czf a.tgz -C / etc && mkdir x && tar xzf a.tgz -C x && diff -r --no-dereference /etc x/etc && echo same",
            "^same$"),
    Program("xz", "xz -T2 -kc /bin/bash > b.xz && xz -dc b.xz | cmp - /bin/bash && echo same", "^same$"),
    Program("zstd", "zstd -q -T2 -c /bin/bash > b.zst && zstd -dc b.zst | cmp - /bin/bash && echo same", "^same$"),
    Program("mount", "mkdir m && mount -t tmpfs -o size=1m none m && echo x > m/f && mount | grep -c $PWD/m && umount m && ls m", "^1$"),
    Program("flock", "(flock 9; sleep 1; echo first > f) 9> lock & sleep .3; flock lock cat f; flock -n lock echo free", "first\nfree"),
    Program("script", "script -qc 'tty; stty size' log < /dev/null && cat log", r"/dev/pts/\d+"),
    Program("setpriv", "setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all id", "uid=1000 gid=1000 groups=1000"),
    Program("su", "su -s /bin/sh nobody -c 'id -un'", "^nobody$"),
    Program("ps", "sleep 9 & ps -eo pid,ppid,stat,rss,etime,args | grep '[s]leep 9'", r"^ *\d+ +\d+ [RSD] +\d+ +\d\d:\d\d sleep 9"),
    Program("top", "top -bn1 | head -7", r"Tasks: +\d+ total(.|\n)*MiB Mem"),
    Program("free", "free -m", r"Mem: +\d+ +\d+ +\d+"),
    Program("vmstat", "vmstat 1 2 && vmstat -s | grep 'total memory' && vmstat -m | wc -l", r"total memory\n\d+"),
    Program("pgrep, pkill", "sleep 77 & pgrep -x sleep && pkill -x sleep; wait; pgrep -x sleep || echo none", r"\d+\nnone"),
    Program("uptime, w", "uptime && w -h; pidof bash; pmap $$ | tail -1; slabtop -o | head -1", "load average(.|\n)* total"),
    Program("htop", "(sleep 4; echo q) | TERM=xterm script -qc 'stty rows 30 cols 100; htop' log > /dev/null; grep -ac Mem log", "^[1-9]"),
    Program("lsof", "exec 8< /etc/passwd; lsof -p $$ | awk '{ print $4, $9 }'", "8r /etc/passwd"),
    Program("ldd", "ldd /bin/ls", "libc.so.6 => /lib"),
    Program("lscpu, nproc", "nproc && lscpu", r"^2\n(.|\n)*On-line CPU.*0[-,]1"),
    Program("python3", "python3 -c 'import os, subprocess; print(subprocess.check_output([\"echo\", \"x\"]), os.cpu_count())'", r"b'x\\n' 2"),
    Program("perl", "perl -e 'use Fcntl; print join(\",\", map { $_ ** 2 } 1 .. 3), \"\\n\"; if (!fork) { exit 3 } wait; print $? >> 8'",
            "1,4,9\n3"),
    Program("lua5.4", "lua5.4 -e 'print(#\"kumo\", 2^10, io.popen(\"echo x\"):read())'", r"4\s1024.0\sx"),
    Program("gcc", "printf '#include <stdio.h>\\nint main(){puts(\"hello\");}' > h.c && gcc -O2 h.c -o h && ./h", "^hello$"),
    Program("make", "printf 'all: a b c d\\na b c d:\\n\\t@sleep .2; echo $@\\n' > Makefile && make -j4 | sort | tr '\\n' ' '", "a b c d"),
    Program("git", "git init -q g && cd g && git config user.email a@b && git config user.name n && seq 1000 > f && git add f && "
            "git commit -qm one && seq 999 > f && git commit -qam two && git gc -q && cd .. && git clone -q g h && cd h && "
            "git fsck && git log --oneline | wc -l", "^2$"),
    Program("sqlite3", "sqlite3 db 'create table t(x primary key, y); begin; with recursive c(i) as (select 1 union all select i + 1 from c "
            "where i < 5000) insert into t select i, hex(randomblob(20)) from c; commit; pragma journal_mode=wal; delete from t where "
            "x % 3 = 0; pragma integrity_check; select count(*) from t'", "ok\n3334"),
    Program("redis", "redis-server --port 0 --unixsocket $PWD/s --save '' > log & for i in $(seq 50); do test -S s && break; sleep .2; "
            "done; redis-benchmark -s $PWD/s -n 2000 -q -t set,get,lpush; redis-cli -s $PWD/s set k v; redis-cli -s $PWD/s shutdown nosave; wait",
            r"SET: [\d.]+ requests(.|\n)*GET: [\d.]+ requests(.|\n)*OK"),
    Program("tmux", "tmux new-session -d -x 80 -y 24 'echo in the window; sleep 20'; sleep 3; tmux list-sessions; tmux capture-pane -p; "
            "tmux kill-server", "80x24|1 windows(.|\n)*in the window"),
    Program("vim", "vim -es -c '%s/root/toor/' -c 'w! o' -c q /etc/passwd; head -1 o; printf ':q!\\r' | TERM=xterm script -qc vim log > "
            "/dev/null; grep -ac VIM log", "^toor:(.|\n)*\n[1-9]"),
    Program("dpkg", "mkdir -p p/DEBIAN p/usr/bin && printf '#!/bin/sh\\necho installed\\n' > p/usr/bin/kumo-hello && chmod 755 "
            "p/usr/bin/kumo-hello && printf 'Package: kumo-hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: n <a@b>\\nDescription: d\\n' "
            "> p/DEBIAN/control && dpkg-deb -b p k.deb && dpkg -i k.deb && kumo-hello && dpkg -r kumo-hello && dpkg --audit", "^installed$"),
    Program("go", "/programs/go-hello", "^sum 499500 of 1000 goroutines$"),
    Program("ripgrep", "rg -c '^root' /etc/passwd && rg -l --hidden 'Debian' /etc | wc -l", r"^1\n\d+"),
    Program("strace", "strace -V | head -1", "strace -- version"),
    Program("file, less", "file /bin/bash | less", "ELF 64-bit"),
    Program("kmod", "lsmod | head -1", "Module +Size"),
)

# Python's own tests: the module, and of which only what matches one of the patterns.
SUITES = {
    "test_os": (),
    "test_subprocess": (),
    "test_threading": (),
    "test_signal": (),
    "test_socket": ("*Unix*", "*UNIX*", "*SCM*", "*SocketPair*", "*Sendmsg*Stream*", "*TestExceptions*", "*CreateServer*"),
    "test_mmap": (),
    "test_select": (),
    "test_poll": (),
    "test_epoll": (),
    "test_selectors": (),
    "test_tempfile": (),
    "test_shutil": (),
    "test_multiprocessing_fork": ("*WithProcessesTestProcess*", "*WithProcessesTestQueue*", "*WithProcessesTestLock*",
                                  "*WithProcessesTestSemaphore*", "*WithProcessesTestCondition*", "*WithProcessesTestEvent*",
                                  "*WithProcessesTestValue*", "*WithProcessesTestConnection*", "*SharedMemory*"),
    "test_multiprocessing_spawn": ("*WithProcessesTestQueue*", "*WithProcessesTestLock*", "*WithProcessesTestConnection*"),
}
SUITE_SECONDS = 400

SCRIPT = """
export HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /root /tmp /dev/shm /dev/pts
mountpoint -q /dev/shm || mount -t tmpfs shm /dev/shm
mountpoint -q /dev/pts || mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
for number in $NUMBERS; do
	mkdir /tmp/$number && cd /tmp/$number
	echo "@@begin $number"
	timeout -k 5 $SECONDS_EACH bash /programs/$number < /dev/null 2>&1
	echo "@@end $number $?"
	cd / && rm -rf /tmp/$number
done
"""

GO_HELLO = """package main

import "fmt"

func main() {
	c := make(chan int)
	for i := 0; i < 1000; i++ {
		go func(i int) { c <- i }(i)
	}
	sum := 0
	for i := 0; i < 1000; i++ {
		sum += <-c
	}
	fmt.Println("sum", sum, "of 1000 goroutines")
}
"""


def make_tree(path):
    if not path:
        path = os.path.join(ROOT, "build/rootfs/programs")
        run([os.path.join(ROOT, "scripts/rootfs"), "--include-from", PACKAGES, path])
    return path


def go_packages():
    compiler = dependency("golang-go", r"golang-\S+-go")
    return [compiler, compiler.removesuffix("-go") + "-src"]


def make_go_hello(output):
    """A program of Debian's Go."""
    tree = fetch("go", go_packages)
    [root] = [os.path.join(tree, "usr/lib", name) for name in os.listdir(os.path.join(tree, "usr/lib")) if name.startswith("go-")]
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "hello.go")
        with open(source, "w") as file:
            file.write(GO_HELLO)
        run([os.path.join(root, "bin/go"), "build", "-o", output, source],
            env=dict(os.environ, GOROOT=root, GOPATH=work, GOCACHE=os.path.join(PEER, "go-cache"), CGO_ENABLED="0", GO111MODULE="off"))


class Machine:
    """One of the two kernels, with the tree."""

    def __init__(self, name, build, words, tree):
        self.name, self.build, self.words, self.tree = name, build, words, tree

    def run(self, commands, seconds, folder):
        """Runs shell texts, each by itself: (status, output) of each, or None when the machine did not come so far."""
        results = [None] * len(commands)
        for number, command in enumerate(commands):
            with open(os.path.join(folder, str(number)), "w") as file:
                file.write(command + "\n")
        script = SCRIPT.replace("$NUMBERS", " ".join(map(str, range(len(commands))))).replace("$SECONDS_EACH", str(seconds))
        with open(os.path.join(folder, "script"), "w") as file:
            file.write(script)
        line = [os.path.join(ROOT, "scripts/kumo"), "run", "--build", self.build, "--mem", MEMORY, "--timeout", str(MACHINE_SECONDS),
                "--cmdline", self.words, "--with", self.tree + ":/", "--with", folder + ":/programs", "--", "bash", "/programs/script"]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        text = done.stdout.decode(errors="replace")
        for number, output, status in re.findall(r"@@begin (\d+)\n(.*?)@@end \1 (\d+)\n", text, re.S):
            results[int(number)] = (int(status), output)
        if None in results:
            print(f"# {self.name}: the machine ended with status {done.returncode} in {results.index(None)}")
            for each in done.stderr.decode(errors="replace").splitlines()[-40:]:
                print("#", each)
        return results


def program_verdict(program, result):
    """"works", or why not."""
    if result is None:
        return "the machine ended"
    status, output = result
    if status == 124:
        return "took too long"
    if status == 0 and re.search(program.expected, output, re.M):
        return "works"
    lines = output.strip().splitlines()
    return f"status {status}" + (f": {lines[-1][:80]}" if lines else "")


@dataclass
class SuiteResult:
    ran: int
    skipped: int
    failed: set
    fault: str = ""  # why it has no result

    def __str__(self):
        if self.fault:
            return self.fault
        text = f"{self.ran - self.skipped - len(self.failed)} of {self.ran - self.skipped} pass"
        return text + (": not " + ", ".join(sorted(name.split(".")[-1] for name in self.failed)) if self.failed else "")


def suite_command(name):
    words = ["python3", "-m", "test", "-v", name]
    for pattern in SUITES[name]:
        words += ["-m", pattern]
    return " ".join(map(shlex.quote, words))


def suite_result(result):
    if result is None:
        return SuiteResult(0, 0, set(), "the machine ended")
    status, output = result
    ran = re.findall(r"^Ran (\d+) tests? in", output, re.M)
    if not ran:
        return SuiteResult(0, 0, set(), "took too long" if status == 124 else f"status {status}, no result")
    skipped = re.findall(r"skipped=(\d+)", output)
    failed = set(re.findall(r"^(?:FAIL|ERROR): \S+ \((\S+)\)", output, re.M))
    return SuiteResult(int(ran[0]), int(skipped[0]) if skipped else 0, failed)


NOT_RUN = ("not run", "not run")


def keep(rows):
    """Adds rows, (name, Kumo's result, Linux's), to what is known, and gives all of it."""
    path = os.path.join(ROOT, "build/programs.json")
    known = {}
    if os.path.exists(path):
        with open(path) as file:
            known = json.load(file)
    known.update((name, [str(kumo), str(linux)]) for name, kumo, linux in rows)
    with open(path, "w") as file:
        json.dump(known, file, indent="\t")
    return known


def write_docs(known, peer):
    """The two tables between their marks in docs/programs.md."""
    rows = ["| program | command | Kumo | Linux |", "|---|---|---|---|"]
    for program in PROGRAMS:
        command = program.command.replace("|", "\\|")
        rows.append(f"| {program.name} | `{command}` | {' | '.join(known.get(program.name, NOT_RUN))} |")
    rows += ["", "| Python's tests | which | Kumo | Linux |", "|---|---|---|---|"]
    for name, patterns in SUITES.items():
        which = ", ".join(f"`{pattern}`" for pattern in patterns) or "all"
        rows.append(f"| {name} | {which} | {' | '.join(known.get(name, NOT_RUN))} |")
    page = os.path.join(ROOT, "docs/programs.md")
    begin, end = "<!-- the tables, by tests/soak/host/programs.py -->\n", "<!-- their end -->\n"
    with open(page) as file:
        before, _, rest = file.read().partition(begin)
    after = rest.partition(end)[2]
    today = datetime.date.today().isoformat()
    with open(page, "w") as file:
        file.write(f"{before}{begin}\nMeasured {today}; Linux is {peer.release} ({peer.version}).\n\n" + "\n".join(rows) +
                   f"\n\n{end}{after}")


class Report:
    """KTAP."""

    def __init__(self, count):
        self.number = self.failures = 0
        print(f"KTAP version 1\n1..{count}", flush=True)

    def line(self, passed, text):
        self.number += 1
        self.failures += not passed
        print(f"{'' if passed else 'not '}ok {self.number} {text}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree")
    parser.add_argument("--build", default=os.environ.get("BUILD", "release"))
    parser.add_argument("--kumo-only", action="store_true")
    parser.add_argument("names", nargs="*", default=["*"])
    options = parser.parse_args()
    wanted = [program for program in PROGRAMS if any(fnmatch.fnmatch(program.name, name) for name in options.names)]
    suites = [suite for suite in SUITES if any(fnmatch.fnmatch(suite, name) for name in options.names)]
    report = Report(len(wanted) + len(suites))

    tree = make_tree(options.tree)
    peer = Peer(os.path.join(ROOT, "build", options.build))
    machines = [Machine("Kumo", options.build, "", tree)]
    if not options.kumo_only:
        machines.append(Machine("Linux", "peer", PEER_WORDS, tree))
    verdicts, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        if any(program.name == "go" for program in wanted):
            make_go_hello(os.path.join(folder, "go-hello"))
        for machine in machines:
            if wanted:
                done = machine.run([program.command for program in wanted], PROGRAM_SECONDS, folder)
                verdicts[machine.name] = list(map(program_verdict, wanted, done))
            if suites:
                done = machine.run([suite_command(suite) for suite in suites], SUITE_SECONDS, folder)
                results[machine.name] = list(map(suite_result, done))
    nothing = ["not run"] * (len(wanted) + len(suites))
    programs = list(zip(wanted, verdicts.get("Kumo", nothing), verdicts.get("Linux", nothing)))
    for program, kumo, linux in programs:
        report.line(kumo == "works", f"{program.name}: {kumo}" + ("" if kumo == linux else f" (Linux: {linux})"))
    compared = list(zip(suites, results.get("Kumo", nothing), results.get("Linux", nothing)))
    for name, kumo, linux in compared:
        worse = kumo.fault or (kumo.failed - linux.failed if linux != "not run" else kumo.failed)
        report.line(not worse, f"{name}: {kumo} (Linux: {linux})")
    if not options.kumo_only:
        known = keep([(program.name, kumo, linux) for program, kumo, linux in programs] + compared)
        write_docs(known, peer)
    return report.failures != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print("#", str(failure).replace("\n", "\n# "))
        sys.exit(1)
