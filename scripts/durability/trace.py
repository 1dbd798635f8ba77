"""What strace recorded of a daemon, as the steps that a disk sees. Reads text; refuses to know what a disk keeps."""
import re
from dataclasses import dataclass

# Everything that changes a file, its name, or promises one; `write` also carries the log, and with it the promises.
CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat"

PROMISE = re.compile(rb"accepted\b.* id=([0-9a-f-]{36})")

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_FD = re.compile(r"^(\d+|AT_FDCWD)<([^>]*)>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Step:
    """One step on the disk. Paths are relative to the state directory; "" is the directory itself, ".." the one that
    holds its name."""

    # make | folder | write | truncate | sync | rename | remove | promise
    kind: str
    path: str = ""
    # write: where, and what. truncate: the size.
    at: int = 0
    data: bytes = b""
    # rename: the new path. promise: the event.
    to: str = ""


def command(output):
    """strace with what is needed; the daemon's command line follows."""
    return ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "4000000", "-e", "signal=none", "-e", f"trace={CALLS}",
            "-o", str(output)]


def steps(text, state):
    """The steps under the directory `state`, in the order in which they were done."""
    reader = _Reader(str(state))
    found = []
    for name, arguments, result in _calls(text):
        if result >= 0 and (step := reader.step(name, arguments, result)) is not None:
            found.extend(step if isinstance(step, list) else [step])
    return found


def _calls(text):
    """Calls in the order in which they ended; a flush that others overtook covers no less for that, because only one
    thread writes these files."""
    unfinished = {}
    for line in text.splitlines():
        thread, rest = _LINE.match(line).groups()
        if rest.endswith("<unfinished ...>"):
            unfinished[thread] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if (resumed := _RESUMED.match(rest)) is not None:
            rest = unfinished.pop(thread, "") + resumed.group(2).lstrip()
        if (call := _CALL.match(rest)) is not None:
            yield call.group(1), call.group(2), int(call.group(3))


class _Reader:
    def __init__(self, state):
        self.state = state
        # Where the next write(2) of a file goes: frames are written from their start to their end.
        self.ends = {}

    def inside(self, path):
        """The path within the state directory; None: outside."""
        if path == self.state:
            return ""
        if path == self.state.rpartition("/")[0]:
            return ".."
        return path[len(self.state) + 1:] if path.startswith(self.state + "/") else None

    def step(self, name, arguments, result):
        if name in ("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "openat"):
            return self.by_name(name, [_bytes(text).decode(errors="replace") for text in _STRING.findall(arguments)],
                                arguments)
        descriptor = _FD.match(arguments)
        path = descriptor and self.inside(_plain(descriptor.group(2)))
        if name == "write" and path is None:
            promised = PROMISE.findall(b"".join(map(_bytes, _STRING.findall(arguments))))
            return [Step("promise", to=event.decode()) for event in promised]
        if path is None or path.endswith("-shm") or path == "lock":
            return None
        if name in ("fsync", "fdatasync"):
            return Step("sync", path)
        if name == "ftruncate":
            return Step("truncate", path, at=int(arguments.rsplit(",", 1)[1]))
        data = _bytes(_STRING.search(arguments).group(1))[:result]
        if name == "pwrite64":
            return Step("write", path, at=int(arguments.rsplit(",", 1)[1]), data=data)
        at = self.ends.get(path, 0)
        self.ends[path] = at + len(data)
        return Step("write", path, at=at, data=data)

    def by_name(self, name, paths, arguments):
        within = [self.inside(path) for path in paths]
        if not within or within[0] in (None, "..") or within[0].endswith("-shm"):
            return None
        if name == "openat":
            if "O_CREAT" not in arguments:
                return None
            if "O_TRUNC" in arguments:
                self.ends[within[0]] = 0
            return Step("make", within[0])
        if name.startswith("rename"):
            return Step("rename", within[0], to=within[1])
        if name.startswith("unlink"):
            return Step("remove", within[0])
        return Step("folder", within[0])


def _bytes(escaped):
    return bytes.fromhex(escaped.replace("\\x", ""))


def _plain(path):
    """strace escapes the paths of descriptors, too."""
    return _bytes(path).decode() if path.startswith("\\x") else path
