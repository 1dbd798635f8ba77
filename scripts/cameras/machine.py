"""The machine that the figures belong to."""
import os
import pathlib
import re


def machine():
    """Its processor and how many cores of it there are; how busy it was with other things in the last minute."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": model.group(1) if model else os.uname().machine, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}


def named(facts):
    """In words."""
    return f"{facts['cores']} cores of {facts['cpu']}, load before {facts['load_before']}"
