"""A terminal with somebody before it: starts a program in it, makes it smaller, and ends the program.

    python3 screen.py HOW PROGRAM ARGS…

HOW is `key` (Ctrl-C), `quit` (Ctrl-\\), `order` (SIGTERM), or `stop`: Ctrl-Z, then a shell's `fg`, then Ctrl-C. Prints what
the program wrote to the terminal, and how it ended, as JSON.
"""

import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
import time

REFRESHED = b"\x1b[?2026l"


def resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def refreshes(terminal: int, count: int) -> bytes:
    """Everything up to so many more refreshes."""
    seen = b""
    while seen.count(REFRESHED) < count:
        more = read(terminal)
        if not more:
            break
        seen += more
    return seen


# A shell with job control: what it says while the program is stopped stands between the program's screens.
SHELL = ["/bin/bash", "--norc", "-m", "-c", '"$@"; echo "[stopped $?]"; fg >/dev/null; exit $?', "shell"]


def end(how: str, terminal: int, child: int) -> bytes:
    """Ends the program; what was seen before it had to."""
    seen = b""
    if how == "stop":
        os.write(terminal, b"\x1a")
        seen = refreshes(terminal, 3)
    if how == "order":
        os.kill(child, signal.SIGTERM)
    else:
        os.write(terminal, b"\x1c" if how == "quit" else b"\x03")
    return seen


def main() -> None:
    how, program = sys.argv[1], sys.argv[2:]
    if how == "stop":
        program = [*SHELL, *program]
    child, terminal = pty.fork()
    if child == 0:
        resize(0, 24, 80)
        os.environ["TERM"] = "xterm"
        os.execv(program[0], program)
    signal.alarm(90)
    large = refreshes(terminal, 3)
    resize(terminal, 6, 30)
    time.sleep(0.5)
    small = refreshes(terminal, 4)
    last = end(how, terminal, child)
    while more := read(terminal):
        last += more
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"large": large.decode(), "small": small.decode(), "end": last.decode(), "ended": ended}))


main()
