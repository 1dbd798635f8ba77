"""A Debian 12 of the test's own: fetched once, then as many fresh copies as are wanted.

A copy is an overlay over what was fetched, so it costs nothing and leaves nothing. The registry is the one that this machine's apt uses.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "installed"
SUITE = "bookworm"
APT = Path("/etc/apt")


def say(text):
    print(f"installed: {text}", flush=True)


def expect(holds, what):
    """Says that it holds, or ends the test."""
    if not holds:
        raise SystemExit(f"installed: FAILED: {what}")
    say(f"ok: {what}")


def wait_for(what, probe, limit_s=900):
    """What `probe` returns once that is something; the limit is for what never comes, not for what is slow."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.2)
    raise SystemExit(f"installed: FAILED: {what}: not within {limit_s} s")


def run(command, **options):
    """Runs it; what it printed, or the end of the test with all that it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise SystemExit(f"installed: `{' '.join(map(str, command))}` ended with {done.returncode}:\n{said}")
    return done.stdout


def sources():
    """This machine's files that name a registry of Debian 12."""
    files = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))]
    return [file for file in files if file.suffix in (".list", ".sources") and file.exists() and SUITE in file.read_text()]


def registry():
    """Where debootstrap fetches from."""
    for file in sources():
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] == ["URIs:"]:
                return words[1]
            if words[:1] == ["deb"] and SUITE in words:
                return words[words.index(SUITE) - 1]
    raise SystemExit(f"installed: no registry of Debian 12 ({SUITE}) in {APT}; add one")


def fetch_base():
    """The smallest Debian 12 there is, as a folder."""
    base = STORE / "base"
    if base.exists():
        return base
    say("fetching a bare Debian 12")
    unfinished = STORE / "base.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    STORE.mkdir(parents=True, exist_ok=True)
    run(["debootstrap", "--variant=minbase", SUITE, unfinished, registry()])
    unfinished.rename(base)
    return base


class Root:
    """A root folder that commands can run in."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, inside):
        return self.folder / inside.lstrip("/")

    def run(self, *command):
        """Runs it in here; what it printed, or the end of the test."""
        return run(["chroot", self.folder, *command], env=ENVIRONMENT)

    def attempt(self, *command):
        """Runs it in here: (exit status, output, errors)."""
        done = subprocess.run(["chroot", self.folder, *command], env=ENVIRONMENT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def install(self, *packages):
        self.run("apt-get", "update", "-qq")
        self.run("apt-get", "install", "-qq", "-y", *packages)


ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


@contextmanager
def copy_of(lower, name, keep=False):
    """A fresh root over the folders `lower` (the topmost first), with a network and this machine's registry; thrown away, or kept as the
    layer `name` if it was made to its end."""
    work = STORE / f"{name}.work"
    layer, merged = work / "layer", work / "merged"
    shutil.rmtree(work, ignore_errors=True)
    for folder in (layer, work / "overlay", merged):
        folder.mkdir(parents=True)
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={layer},workdir={work / 'overlay'}"
    run(["mount", "-t", "overlay", "overlay", "-o", options, merged])
    root = Root(merged)
    mounts = [merged / "proc", merged / "sys", merged / "dev", merged / "var/cache/apt/archives", merged / "tmp"]
    archives = STORE / "archives"
    archives.mkdir(exist_ok=True)
    kinds = [("-t", "proc", "proc"), ("-t", "sysfs", "sysfs"), ("--rbind", "/dev"), ("--bind", archives), ("-t", "tmpfs", "tmpfs")]
    for kind, place in zip(kinds, mounts):
        run(["mount", *map(str, kind), place])
    lend_registry(root)
    try:
        yield root
    finally:
        for place in reversed(mounts):
            run(["umount", "--recursive", "--lazy", place])
        if not keep:
            run(["umount", "--lazy", merged])
            shutil.rmtree(work)
    if keep:
        take_registry_back(root)
        run(["umount", merged])
        layer.rename(STORE / name)
        shutil.rmtree(work)


def lend_registry(root):
    """What apt and the resolver know here, they know in there; no service starts where there is no init."""
    for file in sources():
        shutil.copy(file, root.path("/etc/apt") / file.relative_to(APT))
    lines = [line for file in sorted((APT / "apt.conf.d").glob("*")) for line in file.read_text().splitlines()]
    acquire = [line for line in lines if line.startswith("Acquire::Check")]
    settings = [*acquire, 'Acquire::Languages "none";', 'Binary::apt-get::APT::Keep-Downloaded-Packages "1";']
    root.path("/etc/apt/apt.conf.d/90installed").write_text("".join(f"{line}\n" for line in settings))
    for file in ("/etc/resolv.conf", "/etc/hosts"):
        root.path(file).unlink(missing_ok=True)
        shutil.copy(file, root.path(file))


def take_registry_back(root):
    for file in sources():
        (root.path("/etc/apt") / file.relative_to(APT)).unlink()
    shutil.rmtree(root.path("/var/lib/apt/lists"))
    root.path("/var/lib/apt/lists/partial").mkdir(parents=True)
    root.path("/etc/resolv.conf").write_text("")
    root.path("/etc/hosts").write_text("127.0.0.1 localhost\n")
