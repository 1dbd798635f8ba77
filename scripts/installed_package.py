"""The package in a bare Debian 12: what installing, using, upgrading, removing and purging it do, and leave."""

import hashlib
import json
import shutil
import subprocess

from installed_debian import ENVIRONMENT, ROOT, copy_of, expect, fetch_base, run, wait_for

CONFIG = "/etc/stakeout/stakeout.toml"
OLDER, NEWER, NEWEST = "/tmp/older.deb", "/tmp/newer.deb", "/tmp/newest.deb"


def check_package(packages):
    """`packages`: the package as built, one of a lower version whose default configuration differs, one of a higher whose is the same."""
    with copy_of([fetch_base()], "package") as root:
        for file, place in zip((packages.older, packages.newer, packages.newest), (OLDER, NEWER, NEWEST)):
            root.path(place).write_bytes(file.read_bytes())
        installs(root)
        works_as_installed(root)
        configure(root)
        upgrades(root)
        upgrades_without_a_question(root)
        removes(root)
        purges(root)
        purges_what_is_mounted(root)


def digest(root, path):
    return hashlib.sha256(root.path(path).read_bytes()).hexdigest()


def installs(root):
    # The control: without the package there is neither command nor user, so what follows can fail.
    expect(root.attempt("which", "stakeout")[0] != 0, "a bare Debian 12 has no stakeout")
    expect(root.attempt("getent", "passwd", "stakeout")[0] != 0, "… and no such user")
    root.install("--no-install-recommends", OLDER)
    version = root.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "stakeout")
    expect(version.endswith(" installed"), f"`apt-get install ./stakeout.deb` brings all that it needs ({version})")
    missing = [line for line in root.run("ldd", "/usr/bin/stakeout", "/usr/lib/stakeout/libonnxruntime.so").splitlines() if "not found" in line]
    expect(not missing, f"no library is missing {missing or ''}".rstrip())
    expect(root.run("stat", "-c", "%U:%G %a", "/etc/stakeout").strip() == "root:stakeout 750", "/etc/stakeout is for root and the service alone")
    expect(root.run("stat", "-c", "%U:%G %a", "/var/lib/stakeout").strip() == "stakeout:stakeout 750", "/var/lib/stakeout is the service's")
    groups = root.run("id", "-nG", "stakeout").split()
    expect({"video", "render"} <= set(groups), f"the user may use decoders and GPUs ({' '.join(groups)})")


def works_as_installed(root):
    status, told, errors = root.attempt("stakeout", "check")
    expect(status == 0, f"`stakeout check` passes on the default configuration: {told.strip()}")
    expect("nothing is watched" in told + errors, "… and says that nothing is watched yet")
    with daemon(root):
        box = json.loads(root.run("stakeout", "status", "--json"))
        expect(box["cameras"] == [], "the daemon runs and serves the command line, also without cameras")
        advice = [warning["do"] for warning in box["warnings"] if warning["what"].startswith("nothing is watched")]
        expect(advice, f"… and its status says what to do: {' '.join(advice)}")
        (owner,) = {line.split()[0] for line in root.run("ps", "-eo", "user,args").splitlines() if "stakeout run" in line and "runuser" not in line}
        expect(owner == "stakeout", "… as its own user")


class daemon:
    """The service as the unit starts it, but without systemd: own user, own folders."""

    def __init__(self, root):
        self.root = root

    def __enter__(self):
        self.root.run("install", "-d", "-o", "stakeout", "-g", "stakeout", "-m", "750", "/run/stakeout")
        command = ["chroot", self.root.folder, "runuser", "-u", "stakeout", "--", "stakeout", "run"]
        self.log = (self.root.path("/tmp/log")).open("w")
        self.process = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("the daemon serves", self.serves)
        return self

    def serves(self):
        if self.process.poll() is not None:
            raise SystemExit(f"installed: FAILED: the daemon ended:\n{self.root.path('/tmp/log').read_text()}")
        return self.root.path("/run/stakeout/stakeout.sock").exists()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def configure(root):
    """As a site would: the file is edited, a secret lies beside it, and something happens before the camera."""
    shutil.copy(ROOT / "tests/data/yard.mp4", root.path("/var/lib/stakeout/yard.mp4"))
    root.path("/etc/stakeout/ops.secret").write_text("secret of the site")
    root.path(CONFIG).write_text(root.path(CONFIG).read_text() + SITE)
    root.run("stakeout", "check")
    with daemon(root):
        wait_for("the clip's person makes an event", lambda: events(root))


SITE = """
# Edited by the site.
[[camera]]
name = "yard"
url = "file:///var/lib/stakeout/yard.mp4"
loop = true
[[monitor]]
name = "person"
camera = "yard"
model = "yard-classifier"
labels = ["person"]
"""


def events(root):
    return [json.loads(line)["id"] for line in root.run("stakeout", "events", "--json").splitlines()]


def starts(root):
    return json.loads(root.run("stakeout", "status", "--json"))["journal"]["generation"]


UPGRADE = ["apt-get", "install", "-qq", "-y", "--no-install-recommends"]


def upgrades(root):
    config, journal = digest(root, CONFIG), events(root)
    shipped = root.run("dpkg-query", "-W", "-f", "${Conffiles}", "stakeout")
    # The control: where the default configuration is another, dpkg asks, and finds nobody there.
    status, told, errors = root.attempt(*UPGRADE, NEWER)
    expect(status != 0 and "conffile prompt" in told + errors, "an upgrade that has something to ask does ask")
    root.run("dpkg", "--configure", "--force-confold", "stakeout")
    expect(root.run("dpkg-query", "-W", "-f", "${Conffiles}", "stakeout") != shipped, "the newer package has another default configuration")
    expect(digest(root, CONFIG) == config, "an upgrade keeps the edited one")
    expect(root.path("/etc/stakeout/ops.secret").exists(), "… and the secrets")
    expect(events(root)[: len(journal)] == journal, f"… and the journal ({len(journal)} events)")
    with daemon(root):
        expect(starts(root) == 3, "the newer one goes on with both, at the third start of this journal")


def upgrades_without_a_question(root):
    """Edited by the site, and the same in both releases."""
    config, folder = digest(root, CONFIG), sorted(root.path("/etc/stakeout").iterdir())
    root.run(*UPGRADE, NEWEST)
    version = root.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "stakeout")
    expect(version == "99.0.0-1 installed", "an upgrade to the same default configuration has nothing to ask, and nobody has to tell dpkg what to do")
    expect(digest(root, CONFIG) == config, "… and keeps the edited one")
    expect(sorted(root.path("/etc/stakeout").iterdir()) == folder, "… and lays nothing beside it")


def removes(root):
    root.run("apt-get", "remove", "-qq", "-y", "stakeout")
    expect(not root.path("/usr/bin/stakeout").exists(), "`remove` takes the program")
    kept = [CONFIG, "/etc/stakeout/ops.secret", "/var/lib/stakeout/journal.db"]
    expect(all(root.path(file).exists() for file in kept), "… and keeps configuration, secrets and journal")


def purges(root):
    root.run("apt-get", "purge", "-qq", "-y", "stakeout")
    expect(not root.path("/etc/stakeout").exists(), "`purge` forgets configuration and secrets")
    expect(not root.path("/var/lib/stakeout").exists(), "… and the journal with its pictures")
    expect(root.attempt("getent", "passwd", "stakeout")[0] == 0, "the user stays, so that no other gets its id")
    elsewhere = ["-not", "-path", "/var/cache/*", "-not", "-path", "/var/lib/dpkg/*"]
    left = root.run("find", "/etc", "/usr", "/var", "-xdev", "-iname", "*stakeout*", *elsewhere).split()
    expect(not left, f"nothing else of it is left {left or ''}".rstrip())


def purges_what_is_mounted(root):
    """Folders that are file systems of their own can't be taken away: they are emptied, and the one doesn't keep the other."""
    root.run(*UPGRADE, NEWER)
    mounted = root.path("/etc/stakeout")
    run(["mount", "-t", "tmpfs", "tmpfs", mounted])
    try:
        (mounted / "ops.secret").write_text("secret of the site")
        root.path("/var/lib/stakeout/journal.db").write_text("what happened at the site")
        root.run("apt-get", "purge", "-qq", "-y", "stakeout")
        expect(not list(mounted.iterdir()), "`purge` empties a folder that is mounted")
        expect(not root.path("/var/lib/stakeout").exists(), "… and takes the other one away all the same")
    finally:
        run(["umount", mounted])
