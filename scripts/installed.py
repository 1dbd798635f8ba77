"""What scripts/installed runs once it is in namespaces of its own: builds the packages, then the parts that were asked for."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from installed_debian import ROOT, STORE, run, say
from installed_files import check_files
from installed_unit import check_machine
from installed_package import check_package

PARTS = {"files": check_files, "package": check_package, "machine": check_machine}


@dataclass(frozen=True)
class Packages:
    """What is tested, and what it replaces."""

    newer: Path
    older: Path


def build_both(binary, folder):
    say("building two packages")
    newer = build(binary, folder)
    older = build(binary, folder, "--version", "0.0.9")
    return Packages(newer, with_another_default(older, folder))


def build(binary, folder, *options):
    """Calls packaging/build-deb; the package's path."""
    command = [ROOT / "packaging/build-deb", "--out", folder, *options]
    if binary:
        command += ["--binary", binary]
    environment = os.environ | {"DEB_BUILD_OPTIONS": "noautodbgsym"}
    printed = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment).stdout
    (package,) = [Path(line) for line in printed.splitlines() if "dbgsym" not in line]
    return package


def with_another_default(package, folder):
    """The same package, whose default configuration is another: as of a version before."""
    content = folder / "content"
    run(["dpkg-deb", "-R", package, content])
    config = content / "etc/stakeout/stakeout.toml"
    config.write_text(config.read_text() + "# As it was shipped before.\n")
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", content, package])
    shutil.rmtree(content)
    return package


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
        packages = options.packages and Packages(*options.packages) or build_both(options.binary, folder)
        for part in options.parts or PARTS:
            say(f"── {part}")
            PARTS[part](packages)
    say(f"passed in {time.monotonic() - began:.0f} s")


main()
