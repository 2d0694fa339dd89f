"""For the tests beside this file that are in Python: KTAP, and machines on a terminal.

KUMO, BUILD, BUILD_DIR and ROOT come from `kumo test`, as for lib.sh.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import traceback

KUMO = [os.environ["KUMO"], "run", "--build", os.environ["BUILD"]]
BUILD_DIR = os.environ["BUILD_DIR"]
ROOT = os.environ["ROOT"]

_cases = []


def case(function):
    """Makes a function a test case: what its docstring says is true unless it raises."""
    _cases.append(function)
    return function


def run_cases():
    """Runs the cases in the order of their definition and ends the program."""
    failed = 0
    print(f"KTAP version 1\n1..{len(_cases)}", flush=True)
    for number, function in enumerate(_cases, 1):
        try:
            function()
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("#", line)
            print("not ", end="")
        print(f"ok {number} {function.__doc__}", flush=True)
    sys.exit(failed != 0)


def same(got, wanted):
    assert got == wanted, f"{got!r} instead of {wanted!r}"


def kumo(*arguments, seconds=60):
    """`kumo run` with these arguments, its output kept as text."""
    return subprocess.run([*KUMO, "--timeout", str(seconds), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


class Ended(Exception):
    """The machine ended, or said something else than what was waited for."""


class Machine:
    """`kumo run` on a terminal of its own, typed at and read as a person would."""

    PROMPT = r"root@kumo:\S*# "

    def __init__(self, *arguments, rows=24, columns=80, seconds=120):
        self.keyboard, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([*KUMO, "--timeout", str(seconds), *arguments], stdin=terminal, stdout=terminal,
                                        stderr=terminal, start_new_session=True, env=dict(os.environ, TERM="xterm"),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(terminal)
        self.seen = ""

    def type(self, text):
        os.write(self.keyboard, text.encode())

    def _read_more(self, until):
        left = max(0, until - time.monotonic())
        if not select.select([self.keyboard], [], [], left)[0]:
            return False
        try:
            data = os.read(self.keyboard, 65536)
        except OSError:  # EIO: nobody has the other end open
            data = b""
        if not data:
            raise Ended(f"the machine ended after {self.seen!r}")
        # Each line ends in CR CR LF: the guest's terminal makes CR LF of LF, and so does the one here. The shell's line editor
        # asks where the cursor is whenever it is idle.
        self.seen = (self.seen + data.decode(errors="replace")).replace("\r", "").replace("\x1b[6n", "")
        return True

    def expect(self, pattern, seconds=40):
        """Waits until the screen has shown it; what came up to there, as a match."""
        until = time.monotonic() + seconds
        while not (match := re.search(pattern, self.seen, re.S)):
            if not self._read_more(until):
                raise Ended(f"no {pattern!r} within {seconds} s, but {self.seen!r}")
        self.seen = self.seen[match.end():]
        return match

    def prompt(self, seconds=40):
        """Waits for the shell's prompt; what came before."""
        return self.expect(rf"^(.*?){self.PROMPT}", seconds)[1]

    def run(self, command, seconds=40):
        """Types a command for the shell; what it printed."""
        self.type(command + "\r")
        self.expect(r"\n")
        return self.prompt(seconds)

    def pause(self, seconds=0.3):
        """A person's time between two keys that must not arrive as one; reads on meanwhile."""
        until = time.monotonic() + seconds
        while self._read_more(until):
            pass

    def wait(self, seconds=40):
        """The exit status, once the machine has ended by itself."""
        until = time.monotonic() + seconds
        try:
            while self._read_more(until):
                pass
        except Ended:
            pass
        return self.process.wait(max(1, until - time.monotonic()))

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.keyboard)
