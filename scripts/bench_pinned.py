"""Two sides of a comparison on one core: built programs, a Python with the same onnxruntime, and workers that take turns.

No command of its own: `scripts/bench` and its parts import it.
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("STAKEOUT_SHARED", ROOT.parent / "shared")) / "data"
LIBRARY = pathlib.Path(os.environ.get("ORT_LIB", ROOT / ".setup/lib/libonnxruntime.so"))
VENV = ROOT / ".setup/bench-venv"


def say(text):
    print(text, file=sys.stderr)


def die(text):
    sys.exit(f"bench: {text}")


def library_version():
    """The version of the library, so that both sides run the same code."""
    stamp = LIBRARY.resolve().with_name("version")
    told = stamp.read_text() if stamp.is_file() else LIBRARY.resolve().name
    found = re.search(r"\d+\.\d+\.\d+", told)
    return found.group() if found else die(f"can't tell the version of `{LIBRARY}`; run scripts/setup")


def reference_python(version):
    """A Python that has onnxruntime of that version, made once, outside of git."""
    python = VENV / "bin/python"
    stamp = VENV / "onnxruntime-version"
    wanted = f"{version} with tokenizers"
    if not stamp.is_file() or stamp.read_text() != wanted:
        say(f"bench: making {VENV.relative_to(ROOT)} with onnxruntime {version}")
        venv.create(VENV, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", f"onnxruntime=={version}", "numpy", "tokenizers"], check=True,
                       stdout=sys.stderr)
        stamp.write_text(wanted)
    return python


def build(kind, name):
    """Builds an example or the product itself as the product is shipped, and gives its path."""
    command = ["cargo", "build", "--release", f"--{kind}", name, "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, built.splitlines())
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == name and m.get("executable"))


class Worker:
    """One side of the comparison, pinned to the core; idle until asked."""

    def __init__(self, cpu, command):
        command = ["taskset", "-c", str(cpu), *map(str, command)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def run(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else die("one side ended early; its error is above")


def compare(ours, reference, rounds, checks):
    """Takes turns, so that whatever else the machine does hits both sides alike."""
    for side in (ours, reference):
        side.run(checks)  # caches, clocks and allocators warm up
    ratios, whole, engine, bare = [], [], [], []
    for number in range(rounds):
        sides = [ours, reference] if number % 2 == 0 else [reference, ours]
        costs = {side: side.run(checks) for side in sides}
        totals, inside = zip(*costs[ours])
        whole.append(statistics.median(totals))
        engine.append(statistics.median(inside))
        bare.append(statistics.median(costs[reference]))
        ratios.append(whole[-1] / bare[-1])
    return {"ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
            "check_ms": statistics.median(whole), "engine_ms": statistics.median(engine),
            "reference_ms": statistics.median(bare)}
