"""A terminal with somebody before it: starts a program in it, makes it smaller, and ends the program.

    python3 screen.py HOW PROGRAM ARGS…

HOW is `key` (Ctrl-C) or `order` (SIGTERM). Prints what the program wrote to the terminal, and how it ended, as JSON.
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


def main() -> None:
    how, program = sys.argv[1], sys.argv[2:]
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
    if how == "key":
        os.write(terminal, b"\x03")
    else:
        os.kill(child, signal.SIGTERM)
    end = b""
    while more := read(terminal):
        end += more
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"large": large.decode(), "small": small.decode(), "end": end.decode(), "ended": ended}))


main()
