#!/usr/bin/python3
"""The interactive shell of `kumo run`, as a person has it: Debian's busybox sh on the serial console.

seconds: 180
"""
import re

from lib import Machine, case, kumo, run_cases, same

CTRL_C, CTRL_D, CTRL_U, CTRL_Z, ESCAPE = "\x03", "\x04", "\x15", "\x1a", "\x1b"
UP, DOWN, LEFT, RIGHT, HOME = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C", "\x1b[H"

machine = Machine(rows=33, columns=99)


@case
def prompt_appears():
    """a prompt appears, and a command runs"""
    machine.prompt()
    same(machine.run("echo sum $((40 + 2))"), "sum 42\n")


@case
def size():
    """the shell has the size and the type of the terminal outside"""
    same(machine.run("stty size"), "33 99\n")
    same(machine.run("echo $TERM"), "xterm\n")
    machine.run("stty rows 20 cols 70")
    same(machine.run("stty size"), "20 70\n")
    machine.run("stty rows 33 cols 99")


@case
def settings():
    """stty shows and changes settings"""
    assert "icanon iexten echo" in machine.run("stty -a")
    machine.type("stty -echo; head -n 1; stty echo\r")
    machine.pause(0.5)
    machine.type("unseen\r")
    same(machine.prompt(), "stty -echo; head -n 1; stty echo\nunseen\n")


@case
def interrupt():
    """Ctrl-C ends a command, Ctrl-\\ too"""
    machine.type("sleep 1000\r")
    machine.pause()
    machine.type(CTRL_C)
    machine.prompt()
    same(machine.run("echo $?"), "130\n")
    machine.type("yes\r")
    machine.expect("y\ny\ny\n")
    machine.type(CTRL_C)
    machine.prompt()
    same(machine.run("echo $?"), "130\n")
    machine.type("sleep 1000\r")
    machine.pause()
    machine.type("\x1c")
    machine.prompt()
    same(machine.run("echo $?"), "131\n")


@case
def end_of_file():
    """Ctrl-D ends a command's input"""
    machine.type("cat\r")
    machine.pause()
    machine.type("one\r")
    machine.expect("one\none\n")
    machine.type("two" + CTRL_D)
    machine.expect("twotwo")
    machine.type(CTRL_D)
    machine.prompt()
    machine.type("cat | wc -l\r")
    machine.pause()
    machine.type("one\rtwo\r" + CTRL_D)
    assert machine.prompt().endswith("\n2\n")


@case
def job_control():
    """Ctrl-Z, jobs, bg, fg, and & work"""
    machine.type("sleep 1001\r")
    machine.pause()
    machine.type(CTRL_Z)
    assert "Stopped" in machine.prompt()
    assert re.search(r"\[1\]\+ +Stopped +sleep 1001", machine.run("jobs"))
    machine.run("bg")
    assert re.search(r"\[1\]\+ +Running +sleep 1001", machine.run("jobs"))
    machine.type("fg\r")
    machine.expect("sleep 1001\n")
    machine.pause()
    machine.type(CTRL_C)
    machine.prompt()
    same(machine.run("jobs"), "")
    machine.run("sleep 1002 &")
    machine.run("kill %1; wait")
    assert "1002" not in machine.run("ps")


@case
def pipeline_stops():
    """a pipeline stops and goes on as one job"""
    machine.type("sleep 1 | cat | cat\r")
    machine.pause()
    machine.type(CTRL_Z)
    machine.prompt()
    assert re.search(r"Stopped +sleep 1 \| cat \| cat", machine.run("jobs"))
    machine.type("fg\r")
    machine.prompt()
    same(machine.run("jobs"), "")


@case
def background_reader():
    """a job in the background that reads the terminal stops, one that writes need not"""
    said = machine.run("cat &")  # a quick one stops before the shell's next prompt
    machine.pause(0.5)
    assert re.search(r"Stopped \(tty input\) +cat", said + machine.run(""))
    machine.run("kill %1; fg")
    machine.run("(sleep 0.5; echo from behind) &")
    machine.expect("from behind\n")
    machine.run("")
    machine.run("stty tostop; (sleep 0.1; echo x) &")
    machine.pause(0.7)
    assert "Stopped (tty output)" in machine.run("")
    machine.run("stty -tostop; fg")


@case
def pipes():
    """pipes carry much, and their writers end with their readers"""
    same(machine.run("yes | head -n 300000 | wc -l"), "300000\n")
    same(machine.run("seq 5000 | tac | sort -n | tail -n 1"), "5000\n")


@case
def editing():
    """arrow keys edit the line and bring back earlier ones"""
    machine.type("eco edited" + HOME + RIGHT + RIGHT + "h" + "\r")
    machine.expect(r"\nedited\n")
    machine.prompt()
    machine.run("echo first")
    machine.run("echo second")
    machine.type(UP + UP + "\r")
    machine.expect(r"\nfirst\n")
    machine.prompt()
    machine.type(UP + UP + UP + DOWN + "\r")
    machine.expect(r"\nsecond\n")
    machine.prompt()
    machine.type("nonsense" + CTRL_U + "echo sense\r")
    machine.expect(r"\nsense\n")
    machine.prompt()
    machine.type("cat /proc/versi\t\r")
    machine.expect(r"\nLinux version 6")
    machine.prompt()


@case
def vi():
    """vi edits a file and saves it"""
    machine.type("vi text\r")
    machine.expect(r"- text 1/1")
    machine.type("ihello")
    machine.pause()
    machine.type("\rworld")
    machine.pause()
    machine.type(ESCAPE)
    machine.expect(r"- text \[Modified\] 2/2")
    machine.pause()
    machine.type(UP)
    machine.pause()
    machine.type("0xiJ")
    machine.pause()
    machine.type(ESCAPE)
    machine.pause()
    machine.type(":wq\r")
    machine.expect("'text' 2L, 12C")
    machine.prompt()
    same(machine.run("cat text"), "Jello\nworld\n")


@case
def lists():
    """top, ps and dmesg show what there is"""
    machine.type("top\r")
    machine.expect(r"Mem: \d+K used.*PID +PPID.* -sh")
    machine.type("q")
    machine.prompt()
    assert re.search(r" 1 root .*/init\n", machine.run("ps"))
    assert "Kumo" in machine.run("dmesg")
    machine.run("dmesg -c > /dev/null")
    same(machine.run("dmesg"), "")


@case
def leaves():
    """exit ends the machine with status 0, whatever the last command's was"""
    machine.run("sh -c 'exit 3'")
    machine.type("exit 0\r")
    same(machine.wait(), 0)


@case
def on_terminal():
    """--tty gives a command the terminal"""
    other = Machine("--tty", "--", "sh", "-c", "tty; stty size; read line; echo got $line; exit 7", columns=90)
    try:
        other.expect(r"/dev/\w+\n24 90\n")
        other.type("words\r")
        other.expect("got words\n")
        same(other.wait(), 7)
    finally:
        other.end()


@case
def not_a_terminal():
    """a command whose streams are no terminal sees none"""
    same(kumo("--", "sh", "-c", "tty; test -t 1 || echo none").stdout, "not a tty\nnone\n")


try:
    run_cases()
finally:
    machine.end()
