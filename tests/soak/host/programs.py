#!/usr/bin/python3 -B
"""Debian's programs, unmodified, from a tree that scripts/rootfs makes: each with a command that shows that it works, on Kumo and on
Debian's Linux in the same machine. What came of each is kept in build/programs.json, of which docs/programs.md gets its
tables; what each printed is in build/programs/KERNEL/. The rows are in tests/program_rows.py.

Beside `kumo test --soak` it can be called by hand: programs.py [--tree TREE] [--kumo-only | --linux-only] [NAME...], where NAME is a
pattern of programs and suites; these are then renewed.

seconds: 5400
"""
import argparse
import datetime
import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
sys.path[:0] = [os.path.join(ROOT, "scripts"), os.path.join(ROOT, "tests")]
from program_rows import PROGRAMS, SOURCES, SUITES  # noqa: E402
from peer import PEER, PEER_WORDS, Failure, Peer, dependency, fetch, run  # noqa: E402

PACKAGES = os.path.join(ROOT, "tests/programs.packages")
MEMORY = "3G"
PROGRAM_SECONDS = 120
SUITE_SECONDS = 1500
MACHINE_SECONDS = 2400
PATIENCE = {"debug": 5}  # so many times as long, for slower builds

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
echo @@missing
test -e /sys/kernel/missing_calls && cat /sys/kernel/missing_calls
true
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


def fetch_source(package):
    """What a Debian source package was made of, in build/peer."""
    folder = os.path.join(PEER, "source-" + package)
    if not os.path.exists(folder):
        with tempfile.TemporaryDirectory() as work:
            run(["apt-get", "source", "-qq", "--download-only", "-o", "APT::Sandbox::User=root", package], cwd=work)
            [archive] = glob.glob(os.path.join(work, "*.orig.tar.*[!c]"))
            new = os.path.join(work, "new")
            os.mkdir(new)
            run(["tar", "-xf", archive, "-C", new, "--strip-components=1"])
            shutil.move(new, folder)
    return folder


class Machine:
    """One of the two kernels, with the tree."""

    def __init__(self, name, build, words, tree):
        self.name, self.build, self.words, self.tree = name, build, words, tree

    def run(self, rows, seconds, folder):
        """Runs the rows' shell texts, each by itself: (status, output) of each, or None when the machine did not come so far."""
        results = [None] * len(rows)
        for number, row in enumerate(rows):
            with open(os.path.join(folder, str(number)), "w") as file:
                file.write(row.command + "\n")
        patience = PATIENCE.get(self.build, 1)
        script = SCRIPT.replace("$NUMBERS", " ".join(map(str, range(len(rows))))).replace("$SECONDS_EACH", str(seconds * patience))
        with open(os.path.join(folder, "script"), "w") as file:
            file.write(script)
        line = [os.path.join(ROOT, "scripts/kumo"), "run", "--build", self.build, "--mem", MEMORY, "--timeout", str(MACHINE_SECONDS * patience),
                "--cmdline", self.words, "--with", self.tree + ":/", "--with", folder + ":/programs", "--", "bash", "/programs/script"]
        logs = os.path.join(ROOT, "build/programs", self.name)
        os.makedirs(logs, exist_ok=True)
        with open(os.path.join(logs, f"all-{type(rows[0]).__name__}"), "w+b") as everything:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=everything, stderr=subprocess.PIPE)
            everything.seek(0)
            text = everything.read().decode(errors="replace")
        for line in text.partition("@@missing\n")[2].splitlines():
            print(f"# {self.name} was asked in vain: {line}")
        for number, output, status in re.findall(r"@@begin (\d+)\n(.*?)@@end \1 (\d+)\n", text, re.S):
            results[int(number)] = (int(status), output)
            with open(os.path.join(logs, rows[int(number)].name.replace(" ", "_").replace("/", "_")), "w") as file:
                file.write(output)
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


def suite_result(suite, result):
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
    for name, *results in rows:
        before = known.get(name, NOT_RUN)
        known[name] = [old if str(new) == "not run" else str(new) for old, new in zip(before, results)]
    with open(path, "w") as file:
        json.dump(known, file, indent="\t")
    return known


def write_docs(known, peer):
    """The two tables between their marks in docs/programs.md."""
    rows = ["| program | command | Kumo | Linux |", "|---|---|---|---|"]
    for program in PROGRAMS:
        command = program.command.replace("|", "\\|")
        rows.append(f"| {program.name} | `{command}` | {' | '.join(known.get(program.name, NOT_RUN))} |")
    rows += ["", "| tests | which | Kumo | Linux |", "|---|---|---|---|"]
    for suite in SUITES:
        rows.append(f"| {suite.name} | {suite.which} | {' | '.join(known.get(suite.name, NOT_RUN))} |")
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
    parser.add_argument("--linux-only", action="store_true")
    parser.add_argument("names", nargs="*", default=["*"])
    options = parser.parse_args()
    wanted = [program for program in PROGRAMS if any(fnmatch.fnmatch(program.name, name) for name in options.names)]
    suites = [suite for suite in SUITES if any(fnmatch.fnmatch(suite.name, name) for name in options.names)]
    report = Report(len(wanted) + len(suites))

    tree = make_tree(options.tree)
    peer = Peer(os.path.join(ROOT, "build", options.build))
    machines = [Machine("Kumo", options.build, "", tree), Machine("Linux", "peer", PEER_WORDS, tree)]
    if options.kumo_only or options.linux_only:
        machines = machines[options.linux_only:][:1]
    verdicts, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        if any(program.name == "go" for program in wanted):
            make_go_hello(os.path.join(folder, "go-hello"))
        for source in SOURCES:
            if any(f"/programs/{source}" in row.command for row in wanted + suites):
                shutil.copytree(fetch_source(source), os.path.join(folder, source), symlinks=True)
        for machine in machines:
            if wanted:
                done = machine.run(wanted, PROGRAM_SECONDS, folder)
                verdicts[machine.name] = list(map(program_verdict, wanted, done))
            if suites:
                done = machine.run(suites, SUITE_SECONDS, folder)
                results[machine.name] = list(map(suite_result, suites, done))
    nothing = ["not run"] * (len(wanted) + len(suites))
    programs = list(zip(wanted, verdicts.get("Kumo", nothing), verdicts.get("Linux", nothing)))
    for program, kumo, linux in programs:
        report.line(kumo in ("works", "not run"), f"{program.name}: {kumo}" + ("" if kumo == linux else f" (Linux: {linux})"))
    compared = list(zip(suites, results.get("Kumo", nothing), results.get("Linux", nothing)))
    for suite, kumo, linux in compared:
        worse = kumo != "not run" and (kumo.fault or kumo.failed - (linux.failed if linux != "not run" else set()))
        report.line(not worse, f"{suite.name}: {kumo} (Linux: {linux})")
    if options.build == "release":
        known = keep([(row.name, kumo, linux) for row, kumo, linux in programs + compared])
        write_docs(known, peer)
    return report.failures != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print("#", str(failure).replace("\n", "\n# "))
        sys.exit(1)
