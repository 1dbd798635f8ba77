"""Writes held-out scenes with questions and their true answers, for tests and for `stakeout models calibrate`.

    python scripts/yard/held_out.py --out FOLDER --count 200

The folder gets PNG frames; `questions.jsonl` with `file`, `question`, `type`, `yes` and `answer` (`yes` is null where
the picture doesn't tell); and `labels.csv` with `file`, `question`, `answer` (yes or no), which has the judgeable ones only.
"""

import argparse
import csv
import json
import random
from dataclasses import replace
from pathlib import Path

from PIL import Image

from camera_path import compressed
from questions import ask, ask_unjudgeable
from render import render
from scenes import Scene, sample_scene, truth

FIRST_SEED = 28_000_000  # neither trained nor calibrated on, nor used by evaluate_vlm.py


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="frames")
    parser.add_argument("--questions", type=int, default=6, help="about each frame; every sixth can't be answered")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--clean", action="store_true", help="no grain, noise or compression: PNGs a fifth as large")
    arguments = parser.parse_args()

    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.count):
        scene, dice = sample_scene(seed), random.Random(seed)
        frame = draw(scene, arguments, dice)
        file = f"{seed}.png"
        frame.save(arguments.out / file, optimize=True)
        for number in range(arguments.questions):
            asked = ask_unjudgeable(dice, unseen=True) if number % 6 == 5 else ask(truth(scene), dice)
            rows.append(
                {"file": file, "question": asked.text, "type": asked.kind, "yes": asked.yes, "answer": asked.answer}
            )
    with (arguments.out / "questions.jsonl").open("w") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    with (arguments.out / "labels.csv").open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("file", "question", "answer"))
        judgeable = (row for row in rows if row["yes"] is not None)
        writer.writerows((row["file"], row["question"], "yes" if row["yes"] else "no") for row in judgeable)


def draw(scene: Scene, arguments: argparse.Namespace, dice: random.Random) -> Image.Image:
    """The frame as the camera sends it; a clean one lacks what PNG packs badly."""
    if arguments.clean:
        scene = replace(scene, ground=replace(scene.ground, grain=0.0), light=replace(scene.light, noise=0.0))
        return Image.fromarray(render(scene, arguments.width, arguments.height))
    return compressed(Image.fromarray(render(scene, arguments.width, arguments.height)), dice.randint(60, 95))


if __name__ == "__main__":
    main()
