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
    check_debug_information(packages, content)
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


def check_debug_information(packages, content):
    """stakeout-dbgsym: a debugger finds it by the program's build id, and functions of ours in it."""
    stage = STORE / "dbgsym"
    shutil.rmtree(stage, ignore_errors=True)
    run(["dpkg-deb", "-x", packages.debug_information, stage])
    (build_id,) = re.findall(r"Build ID: ([0-9a-f]+)", run(["readelf", "-n", content / "usr/bin/stakeout"]))
    file = stage / f"usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
    expect(file.exists(), f"stakeout-dbgsym is for this program ({build_id[:8]}…)")
    expect(".debug_line" in run(["readelf", "-SW", file]), "… and knows its lines")
    expect(".debug_line" not in run(["readelf", "-SW", content / "usr/bin/stakeout"]), "… which the program itself doesn't carry about")
    shutil.rmtree(stage)


def check_rules():
    rules, cases = RULES / "stakeout.rules.yml", RULES / "stakeout.rules.test.yml"
    expect("SUCCESS" in run(["promtool", "check", "rules", rules]), "promtool understands the alert rules")
    expect("SUCCESS" in run(["promtool", "test", "rules", cases]), "each fires when it should, and not otherwise")
    defined = set(re.findall(r"- alert: (\w+)", rules.read_text()))
    shown = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n", cases.read_text()))
    expect(defined == shown, f"… all {len(defined)} of them {sorted(defined ^ shown) or ''}".rstrip())


def check_manuals(folder):
    pages = sorted(folder.rglob("*.gz"))
    sections = {page.name.split(".")[-2] for page in pages}
    expect(sections == {"1", "5"}, f"{len(pages)} man pages, of commands and of the configuration")
    for page in pages:
        roff = run(["gzip", "-dc", page]).encode()
        for command in (["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z"]):
            done = subprocess.run(command, input=roff, capture_output=True)
            told = (done.stdout + done.stderr).decode().strip()
            expect(done.returncode == 0 and not (told and command[0] == "groff"), f"{page.stem}: {command[0]} {told}".strip())
        shown = subprocess.run(["man", "-l", page], capture_output=True, text=True, env=READER)
        expect(shown.returncode == 0 and "NAME" in shown.stdout and not shown.stderr, f"{page.stem}: man shows it {shown.stderr}".strip())


# What becomes of `stakeout sta` once the file is loaded. zsh wants a terminal: what its line is after a tab is written to a file.
SHELLS = {
    "bash": ("usr/share/bash-completion/completions/stakeout", ["bash", "-c"], """
        source /usr/share/bash-completion/bash_completion; source "$FILE"
        COMP_WORDS=(stakeout sta); COMP_CWORD=1; COMP_LINE="stakeout sta"; COMP_POINT=12
        handler=$(complete -p stakeout | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "$handler" stakeout sta stakeout; printf '%s\\n' "${COMPREPLY[@]}" """),
    "zsh": ("usr/share/zsh/vendor-completions/_stakeout", ["zsh", "-f", "-c"], """
        zmodload zsh/zpty; zpty shell zsh -f -i
        zpty -w shell 'fpath=("${FILE:h}" $fpath); autoload -U compinit; compinit -u -D
        tell() { print -r -- $BUFFER > ~/line }; zle -N tell; bindkey "^X" tell'
        zpty -w -n shell $'stakeout sta\t\030'
        for turn in {1..300}; do [[ -s ~/line ]] && break; sleep 0.2; done; cat ~/line """),
    "fish": ("usr/share/fish/vendor_completions.d/stakeout.fish", ["fish", "--no-config", "-c"], """
        source $FILE; complete --do-complete 'stakeout sta' | string split -f 1 \\t """),
}


def check_completions(content):
    for shell, (file, command, script) in SHELLS.items():
        place = content / file
        expect(place.exists(), f"there are completions for {shell}")
        # fish makes itself a home.
        with tempfile.TemporaryDirectory() as home:
            environment = {"PATH": "/usr/bin:/bin", "HOME": home, "FILE": str(place), "TERM": "dumb"}
            done = subprocess.run([*command, script], capture_output=True, text=True, env=environment)
        expect("status" in done.stdout.split() and not done.stderr, f"{shell} completes `stakeout sta` {done.stderr}".strip())
