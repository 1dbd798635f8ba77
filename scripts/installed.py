"""What scripts/installed runs once it is in namespaces of its own: builds the packages, then the parts that were asked for."""

import argparse
import hashlib
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from installed_debian import ROOT, STORE, expect, run, say
from installed_files import check_files
from installed_unit import check_machine
from installed_package import check_package

PARTS = {"files": check_files, "package": check_package, "machine": check_machine}


@dataclass(frozen=True)
class Packages:
    """What is tested, the debug information beside it, a release before it and one behind it."""

    newer: Path
    debug_information: Path
    older: Path
    newest: Path


def build_all(binary, folder):
    say("building packages")
    newer, debug_information = build(binary, folder)
    earlier = ["--version", "0.0.9"]
    (older,), (same,) = [build(binary, place, *earlier, DEB_BUILD_OPTIONS="noautodbgsym") for place in (folder, folder / "same")]
    expect(digest(older) == digest(same), "the same program makes the same package, to the byte")
    change(older, older, "etc/stakeout/stakeout.toml", lambda text: text + "# As it was shipped before.\n")
    return Packages(newer, debug_information, older, next_release(newer, folder))


def given(newer, older, folder):
    (debug_information,) = newer.parent.glob(newer.name.replace("stakeout_", "stakeout-dbgsym_"))
    return Packages(newer, debug_information, older, next_release(newer, folder))


def build(binary, folder, *options, **environment):
    """Calls packaging/build-deb; the paths of the package and, if there is one, of its debug information."""
    command = [ROOT / "packaging/build-deb", "--out", folder, *options]
    if binary:
        command += ["--binary", binary]
    environment = os.environ | environment
    printed = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return sorted(map(Path, printed.splitlines()), key=lambda package: "dbgsym" in package.name)


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def next_release(package, folder):
    """The same package under a higher version: its default configuration is what it was."""
    newest = folder / "newest.deb"
    change(package, newest, "DEBIAN/control", lambda text: re.sub("(?m)^Version: .*$", "Version: 99.0.0-1", text))
    return newest


def change(package, changed, file, edit):
    """Packs `package` anew with one of its files edited."""
    with tempfile.TemporaryDirectory(dir=STORE) as content:
        place = Path(content) / "root"
        run(["dpkg-deb", "-R", package, place])
        (place / file).write_text(edit((place / file).read_text()))
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", place, changed])


def main():
    parser = argparse.ArgumentParser(prog="scripts/installed", description="Test the product as it is installed.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all unless named")
    parser.add_argument("--binary", type=Path, help="pack this program instead of building one")
    parser.add_argument("--packages", type=Path, nargs=2, metavar=("NEWER", "OLDER"), help="test these instead of building them")
    options = parser.parse_args()
    began = time.monotonic()
    STORE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STORE) as folder:
        folder = Path(folder)
        packages = given(*options.packages, folder) if options.packages else build_all(options.binary, folder)
        for part in options.parts or PARTS:
            say(f"── {part}")
            started = time.monotonic()
            PARTS[part](packages)
            say(f"{part} passed in {time.monotonic() - started:.0f} s")
    say(f"passed in {time.monotonic() - began:.0f} s")


main()
