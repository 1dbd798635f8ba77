"""Types at a pseudo-terminal: waits for words, then sends keys; tells as JSON what came of it."""

import json
import os
import pty
import select
import sys
import termios
import time

PATIENCE_S = 120


def main() -> None:
    order = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execv(order["command"][0], order["command"])
    screen, seen, script = "", 0, list(order["script"])
    until = time.monotonic() + PATIENCE_S
    echo = True
    while time.monotonic() < until:
        if script and script[0][0] in screen[seen:]:
            words, keys = script.pop(0)
            seen = screen.index(words, seen) + len(words)
            if "not shown" in words:
                # Keys that come before the terminal is quiet would be shown: by the kernel, to whoever types too soon.
                while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < until:
                    time.sleep(0.01)
            os.write(terminal, keys.encode())
            continue
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        screen += more.decode(errors="replace")
        echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
    else:
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    exited = os.waitstatus_to_exitcode(status)
    told = {"exit": exited if exited >= 0 else None, "signal": -exited if exited < 0 else None, "echo": echo}
    print(json.dumps({**told, "screen": screen, "left": script}))


main()
