"""A model's folder with all its files in it, for scripts/demo.py and scripts/bench."""

import re
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "models"


def model_folder(name, elsewhere, parent):
    """`models/NAME`; where files of it are not in the repository, a copy in `parent` that links to those in `elsewhere`.

    Raises FileNotFoundError with the first path that is nowhere.
    """
    kept = MODELS / name
    files = re.findall(r'\bpath = "([^"]+)"', (kept / "manifest.toml").read_text())
    if all((kept / file).is_file() for file in files):
        return kept
    made = Path(parent) / name
    made.mkdir()
    (made / "manifest.toml").symlink_to(kept / "manifest.toml")
    for file in files:
        found = kept / file if (kept / file).is_file() else Path(elsewhere) / file
        if not found.is_file():
            raise FileNotFoundError(found)
        (made / file).symlink_to(found.resolve())
    return made
