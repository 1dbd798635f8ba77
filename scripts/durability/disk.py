"""A disk that keeps what was flushed, and of the rest what it likes: 512-byte sectors, sizes and names.

Sectors are whole or not at all; names of one directory reach the disk in the order in which they were made.
"""
import pathlib

SECTOR = 512

# How much of what was on its way to a file may get there: all sorts of it, or nearly everything, which is harder to notice.
SHARES = (0.5, 0.98)


class File:
    """Bytes on the platter, and what is still on its way there."""

    def __init__(self):
        self.kept = b""
        self.pending = []

    def sync(self):
        self.kept, self.pending = bytes(self._after(lambda: True)), []

    def after_a_cut(self, chance):
        share = chance.choice(SHARES)
        return bytes(self._after(lambda: chance.random() < share))

    def _after(self, survives):
        content = bytearray(self.kept)
        for kind, at, data in self.pending:
            if kind == "truncate":
                if survives():
                    del content[at:]
                    content.extend(bytes(at - len(content)))
                continue
            for start in range(0, len(data), SECTOR):
                if survives():
                    _put(content, at + start, data[start:start + SECTOR])
        return content


def _put(content, at, data):
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at:at + len(data)] = data


class Disk:
    """The state directory as its writers see it, and as a power cut would leave it."""

    def __init__(self):
        self.names = {}
        self.kept_names = {}
        self.pending_names = []
        # The directory's own name, where its parent was flushed.
        self.is_there = True

    def do(self, step):
        """Takes in one step of trace.Step; promises are none of its business."""
        if step.kind in ("make", "folder"):
            if step.path == "":
                self.is_there = False
            elif step.path not in self.names:
                self._name(step.path, File() if step.kind == "make" else None)
        elif step.kind == "rename":
            self._name(step.to, self.names[step.path])
            self._name(step.path, False)
        elif step.kind == "remove":
            self._name(step.path, False)
        elif step.kind == "sync":
            self._sync(step.path)
        elif step.kind in ("write", "truncate"):
            self.names[step.path].pending.append((step.kind, step.at, step.data))

    def _name(self, path, what):
        self.pending_names.append((path, what))
        _apply(self.names, path, what)

    def _sync(self, path):
        if path == "..":
            self.is_there = True
            return None
        if (file := self.names.get(path)) is not None:
            return file.sync()
        left = []
        for name, what in self.pending_names:
            if _parent(name) == path:
                _apply(self.kept_names, name, what)
            else:
                left.append((name, what))
        self.pending_names = left

    def cut(self, chance, folder):
        """Writes what the disk holds after a power cut at this moment into the empty directory `folder`."""
        if not self.is_there and chance.random() < 0.5:
            return
        names = dict(self.kept_names)
        reached = {parent: chance.random() for parent in {_parent(name) for name, _ in self.pending_names}}
        for parent, share in reached.items():
            pending = [entry for entry in self.pending_names if _parent(entry[0]) == parent]
            for name, what in pending[: round(share * len(pending))]:
                _apply(names, name, what)
        for path, file in sorted(names.items()):
            target = pathlib.Path(folder) / path
            if not target.parent.is_dir():
                continue  # its folder's own name was lost
            if file is None:
                target.mkdir()
            else:
                target.write_bytes(file.after_a_cut(chance))


def _apply(names, path, what):
    if what is False:
        names.pop(path, None)
    else:
        names[path] = what


def _parent(path):
    return path.rpartition("/")[0]
