#!/usr/bin/python3
"""kumo lines: what it makes of what a guest printed. That needs no kernel that counts.

seconds: 30
"""
import subprocess
import tempfile

from lib import KUMO, case, run_cases, same


def kumo_lines(*words):
    return subprocess.run([KUMO[0], "lines", *words], text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def line(written, read, contended=0):
    """As kernel/lines.c describes one: address, place, operations of each processor in which it was written and read."""
    return "\t".join(["ffff888000001000", "node+0x40", written, read, "1 0 0 0", "2 0 0 0", str(contended), "", ""])


def table(*lines):
    """The figures for lines that were seen while each of four processors did an operation 10 times."""
    with tempfile.NamedTemporaryFile("w") as raw:
        raw.write("".join(text + "\n" for text in ("operation\tstat\t10\t0", *lines)))
        raw.flush()
        done = kumo_lines("--from", raw.name, "--markdown")
    same(done.returncode, 0)
    return done.stdout.splitlines()[-1]


@case
def shared_lines():
    """a line is shared as often as its writer can have lost it to another, and fetched as often as a reader can have"""
    same(table(line("40 0 0 0", "0 20 0 0")), "| stat | 0.50 | 0.50 | 0.00 |")
    same(table(line("20 20 0 0", "20 20 0 0")), "| stat | 1.00 | 0.00 | 0.00 |")


@case
def lines_of_one():
    """what one processor alone touches, or all only read, is not shared"""
    same(table(line("40 0 0 0", "40 0 0 0"), line("0 0 0 0", "40 40 40 40")), "| stat | 0.00 | 0.00 | 0.00 |")


@case
def many_lines():
    """lines add up, and so does waiting for locks"""
    same(table(line("40 0 0 0", "0 20 0 0", 4), line("0 0 40 0", "20 0 0 0", 4)), "| stat | 1.00 | 1.00 | 0.20 |")


@case
def words():
    """--help tells of the options; a wrong one is refused"""
    done = kumo_lines("--help")
    same(done.returncode, 0)
    assert "--count N" in done.stdout, done.stdout
    same(kumo_lines("--nonsense").returncode, 2)
    same(kumo_lines("--count", "x").returncode, 2)


run_cases()
