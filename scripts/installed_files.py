"""What the package holds, looked at by the tools that know: lintian, systemd-analyze, promtool, man and the shells."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from installed_debian import ROOT, STORE, expect, run, say

EXPOSURE = 3.5
UNIT = ROOT / "packaging/systemd/stakeout.service"
RULES = ROOT / "packaging/prometheus"
READER = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}


def check_files(packages):
    content = STORE / "content"
    shutil.rmtree(content, ignore_errors=True)
    run(["dpkg-deb", "-x", packages.newer, content])
    lint(packages.newer)
    check_unit(content)
    check_rules()
    check_manuals(content / "usr/share/man")
    check_completions(content)
    shutil.rmtree(content)


def lint(package):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        say(f"lintian: {line}")
    expect(done.returncode == 0, "lintian finds no error")


def check_unit(content):
    """`verify` wants to see the program that a unit starts: a root of its own has it."""
    stage = STORE / "unit"
    shutil.rmtree(stage, ignore_errors=True)
    places = ["usr/lib/systemd/system", "usr/share/doc"]
    shutil.copytree("/lib/systemd/system", stage / places[0], symlinks=True, ignore_dangling_symlinks=True)
    (stage / "lib").symlink_to("usr/lib")
    shutil.copy(UNIT, stage / places[0])
    shutil.copytree(content / "usr/bin", stage / "usr/bin")
    ours = [line for line in verify(stage) if "stakeout" in line]
    expect(not ours, f"`systemd-analyze verify` finds nothing in the unit {ours or ''}".rstrip())
    broken = (stage / places[0] / "stakeout.service")
    broken.write_text(broken.read_text().replace("ProtectClock=true", "ProtectClocks=true"))
    expect(any("ProtectClocks" in line for line in verify(stage)), "… and would find a word that it doesn't know")
    shutil.rmtree(stage)
    told = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={int(EXPOSURE * 10)}", UNIT])
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", told)
    expect(float(exposure) <= EXPOSURE, f"exposure {exposure}, at most {EXPOSURE}")


def verify(stage):
    command = ["systemd-analyze", "verify", "--man=no", f"--root={stage}", "stakeout.service"]
    return subprocess.run(command, capture_output=True, text=True).stderr.splitlines()


def check_rules():
    expect("SUCCESS" in run(["promtool", "check", "rules", RULES / "stakeout.rules.yml"]), "promtool understands the alert rules")
    expect("SUCCESS" in run(["promtool", "test", "rules", RULES / "stakeout.rules.test.yml"]), "each fires when it should, and not otherwise")


def check_manuals(folder):
    pages = sorted(folder.rglob("*.gz"))
    if not pages:
        return say("skipped: this stakeout writes no man pages")
    for page in pages:
        roff = run(["gzip", "-dc", page]).encode()
        for command in (["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z"]):
            done = subprocess.run(command, input=roff, capture_output=True)
            told = (done.stdout + done.stderr).decode().strip()
            expect(done.returncode == 0 and not (told and command[0] == "groff"), f"{page.stem}: {command[0]} {told}".strip())
        shown = subprocess.run(["man", "-l", page], capture_output=True, text=True, env=READER)
        expect(shown.returncode == 0 and "NAME" in shown.stdout and not shown.stderr, f"{page.stem}: man shows it {shown.stderr}".strip())


# What a shell offers behind `stakeout ` once the file is loaded.
SHELLS = {
    "bash": ("usr/share/bash-completion/completions/stakeout", ["bash", "-c"], """
        source /usr/share/bash-completion/bash_completion; source "$FILE"
        COMP_WORDS=(stakeout sta); COMP_CWORD=1; COMP_LINE="stakeout sta"; COMP_POINT=12
        handler=$(complete -p stakeout | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "$handler" stakeout sta stakeout; printf '%s\\n' "${COMPREPLY[@]}" """),
    "zsh": ("usr/share/zsh/vendor-completions/_stakeout", ["zsh", "-f", "-c"], """
        fpath=("${FILE:h}" $fpath); autoload -U compinit; compinit -u -D; autoload +X -U _stakeout
        [[ $_comps[stakeout] == _stakeout ]] && grep -o "'status:" "$FILE" | tr -d "':" """),
    "fish": ("usr/share/fish/vendor_completions.d/stakeout.fish", ["fish", "--no-config", "-c"], """
        source $FILE; complete --do-complete 'stakeout sta' | string split -f 1 \\t """),
}


def check_completions(content):
    for shell, (file, command, script) in SHELLS.items():
        place = content / file
        if not place.exists():
            say(f"skipped: this stakeout writes no completions for {shell}")
            continue
        if not shutil.which(shell):
            say(f"skipped: there is no {shell} here")
            continue
        # fish makes itself a home.
        with tempfile.TemporaryDirectory() as home:
            environment = {"PATH": "/usr/bin:/bin", "HOME": home, "FILE": str(place), "TERM": "dumb"}
            done = subprocess.run([*command, script], capture_output=True, text=True, env=environment)
        expect("status" in done.stdout.split() and not done.stderr, f"{shell} completes `stakeout sta` {done.stderr}".strip())
