#!/usr/bin/python3 -B
"""usage: ktap.py [FILE]

Reads KTAP (version 1, or TAP 13/14) from FILE or standard input, amid other lines and behind the log's time stamps if need
be; prints what failed and, last, 'N passed, N failed, N skipped'. Exit status 0 only when at least one test ran, none
failed, no checker of the kernel reported ("BUG: ..." or "Oops: ..."), and the text is whole: each group has a plan and as many results as it says, in order, and nothing was left open.
"""
import re
import sys
from dataclasses import dataclass, field

STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\] ?")
VERSION = re.compile(r"^( *)K?TAP version \d+\s*$")
PLAN = re.compile(r"^( *)1\.\.(\d+)\s*(?:# *(SKIP)\b.*)?$")
RESULT = re.compile(r"^( *)(not )?ok (\d+)(?: +(?:- )?([^#]*?))?\s*(?:# *(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b *(.*))?$")
REPORT = re.compile(r"^(?:<\d+>)?(?:\[ *\d+\.\d+\] )?((?:BUG|Oops): .*)$")
SUBTEST = re.compile(r"^ *# Subtest: (.*)$")


@dataclass
class Test:
    """A result, with the tests below it; `notes` is what was printed on its way."""

    name: str
    status: str  # passed, failed, skipped
    children: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def leaves(self, above=""):
        """(full name, test) of what was really run: a group counts itself only if it fails while none below it does."""
        name = f"{above}.{self.name}" if above else self.name
        if self.children:
            below = [leaf for child in self.children for leaf in child.leaves(name)]
            yield from below
            if self.status != "failed" or any(test.status == "failed" for _, test in below):
                return
        yield name, self


@dataclass
class Group:
    indent: int
    name: str = ""
    plan: int = None
    skipped: bool = False
    tests: list = field(default_factory=list)
    notes: list = field(default_factory=list)


class Reader:
    def __init__(self):
        self.open = []  # groups not ended yet, outer first
        self.done = []  # outermost groups
        self.faults = []

    def where(self):
        return ".".join(group.name or "?" for group in self.open) or "the text"

    def close(self, result=True):
        """Ends the innermost group and gives it back. Without a result of its own it fails, in the group around it."""
        group = self.open[-1]
        if group.plan is None:
            self.faults.append(f"{self.where()}: no plan (1..N)")
        elif len(group.tests) != group.plan:
            self.faults.append(f"{self.where()}: {len(group.tests)} results, but the plan says {group.plan}")
        self.open.pop()
        if not self.open:
            self.done.append(group)
        elif not result:
            notes = group.notes + ["ended without a result"]
            self.open[-1].tests.append(Test(group.name or "?", "failed", group.tests, notes))
        return group

    def close_to(self, indent):
        """Ends the groups that are deeper than `indent`, or as deep."""
        while self.open and self.open[-1].indent >= indent:
            self.close(result=False)

    def result(self, match):
        indent, negative, number, name, directive, reason = match.groups()
        below = None
        while self.open and self.open[-1].indent > len(indent):
            # Of groups at different depths only the outermost belongs to this result.
            outer = self.open[-2] if len(self.open) > 1 else None
            below = self.close(result=not outer or outer.indent <= len(indent))
        if not self.open or self.open[-1].indent != len(indent):
            self.faults.append(f"a result outside of any group: {match.group(0).strip()}")
            return
        group = self.open[-1]
        status = "failed" if negative else "passed"
        if directive in ("SKIP", "XFAIL"):
            status = "skipped"
        elif directive in ("TIMEOUT", "ERROR"):
            status = "failed"
        test = Test(name or number, status, below.tests if below else [], group.notes + (below.notes if below else []))
        if reason:
            test.notes.append(f"{directive} {reason}")
        group.notes = []
        group.tests.append(test)
        if int(number) != len(group.tests):
            self.faults.append(f"{self.where()}: result {number} where {len(group.tests)} was due")
        if status == "passed" and any(leaf.status == "failed" for _, leaf in test.leaves()):
            self.faults.append(f"{self.where()}.{test.name}: ok, though a test below it failed")

    def line(self, text):
        if match := REPORT.match(text.rstrip("\r\n")):
            self.faults.append(match.group(1))
        text = STAMP.sub("", text.rstrip("\r\n"))
        if match := VERSION.match(text):
            self.close_to(len(match.group(1)))
            self.open.append(Group(len(match.group(1))))
        elif not self.open:
            return
        elif match := RESULT.match(text):
            self.result(match)
        elif (match := PLAN.match(text)) and len(match.group(1)) == self.open[-1].indent:
            group = self.open[-1]
            if group.plan is not None:
                self.faults.append(f"{self.where()}: a second plan")
            group.plan, group.skipped = int(match.group(2)), match.group(3) is not None
        elif match := SUBTEST.match(text):
            self.open[-1].name = match.group(1)
        elif text.strip():
            self.open[-1].notes.append(text.strip())

    def end(self):
        self.close_to(0)
        return [test for group in self.done for test in group.tests], self.faults


def read(lines):
    """(tests, faults): the outermost tests, and what is wrong with the text itself."""
    reader = Reader()
    for line in lines:
        reader.line(line)
    return reader.end()


def reports(console):
    """What checkers reported on a console, by the test that ran: {name: [line]}; '' stands for before the first."""
    found, test = {}, ""
    for line in console:
        text = STAMP.sub("", line.rstrip("\r\n"))
        if text.startswith("@@begin "):
            test = text.removeprefix("@@begin ")
        elif REPORT.match(text):
            found.setdefault(test, []).append(text)
    return found


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__, end="")
        return len(sys.argv) > 2
    with open(sys.argv[1]) if len(sys.argv) == 2 else sys.stdin as source:
        tests, faults = read(source)
    count = {"passed": 0, "failed": len(faults), "skipped": 0}
    for name, test in (leaf for each in tests for leaf in each.leaves()):
        count[test.status] += 1
        if test.status == "failed":
            print(f"failed: {name}", *test.notes, sep="\n    ")
    for fault in faults:
        print(f"fault: {fault}")
    if not tests:
        print("fault: no tests ran")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if count["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
