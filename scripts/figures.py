"""Figures for people to read, for the commands that measure: rounded, in their units, in the pages that have tables of them."""
import math
import os
import re
import sys
import time

from peer import ROOT, Failure, run

SECONDS = {"s": 1.0, "us": 1e-6, "ns": 1e-9}


def note(text):
    """Says on a terminal what is going on, in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print("bench:", text, file=sys.stderr, flush=True)


def three_digits(value):
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}"


def scaled(value, steps):
    """A value in the greatest unit that leaves it at least 1. steps: (size, unit), the greatest first."""
    for size, unit in steps:
        if value >= size or size == steps[-1][0]:
            return three_digits(value / size) + unit


def in_unit(value, unit):
    """A time in the unit that suits it; anything else in its own."""
    if unit in SECONDS:
        return scaled(value * SECONDS[unit], ((1, " s"), (1e-3, " ms"), (1e-6, " us"), (1e-9, " ns")))
    return f"{three_digits(value)} {unit}"


def spread(ratios):
    low, high = f"{min(ratios):.3g}", f"{max(ratios):.3g}"
    return low if low == high else f"{low}..{high}"


def machine():
    """What figures depend on, of this tree and this machine."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = re.search(r"^model name\s*:\s*(.*)", cpuinfo.read(), re.M)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "kumo": first_line(["git", "describe", "--always", "--dirty"]) if os.path.exists(os.path.join(ROOT, ".git")) else "",
        "qemu": first_line(["qemu-system-x86_64", "--version"]),
        "processor": model[1] if model else "",
        "host_processors": len(os.sched_getaffinity(0)),
    }


def first_line(words):
    return run(words, cwd=ROOT).splitlines()[0]


def write_page(name, title, text):
    """Puts a text between the marks that docs/NAME has for it."""
    page = os.path.join(ROOT, "docs", name)
    with open(page) as file:
        whole = file.read()
    begin, end = f"<!-- {title} -->\n", "<!-- its end -->\n"
    before, _, rest = whole.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise Failure(f"docs/{name} has no marks for the table")
    with open(page, "w") as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}")
