"""Asks the exported VLM about every frame of the demo's clip and compares with the clip's truth.

    python scripts/yard/evaluate_vlm_clip.py

Decodes with gst-launch-1.0 (avdec_h264), scales plane by plane with each of the filters a daemon might use.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from camera_path import FILTERS, scale_planes
from evaluate_clip import DEFAULT_CLIP, decode, distance_to_change, is_true_at
from vlm_onnx import DEFAULT_FOLDER, OnnxVlm

# The question, the label of the clip's truth that it asks for, and whether that label means yes.
QUESTIONS = (
    ("Is there a person in the picture?", "person", True),
    ("Is there a vehicle in the picture?", "vehicle", True),
    ("Is there a person inside the zone marked with yellow tape?", "person_in_zone", True),
    ("Is anyone inside the yellow zone?", "person_in_zone", True),
    ("Is this true: Alert if any person enters the yellow zone?", "person_in_zone", True),
    ("Is nobody inside the yellow zone?", "person_in_zone", False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_FOLDER, help="folder with manifest.toml")
    parser.add_argument("--clip", type=Path, default=DEFAULT_CLIP, help="with its truth beside it, as .json")
    parser.add_argument("--filters", nargs="+", choices=FILTERS, default=["area", "bilinear"])
    arguments = parser.parse_args()

    model = OnnxVlm(arguments.model)
    story = json.loads(arguments.clip.with_suffix(".json").read_text())
    frames = decode(arguments.clip, story["width"], story["height"])
    seconds = np.arange(len(frames)) / story["frames_per_second"]
    print(f"{len(frames)} frames\n")
    print(
        "| question | scaled with | accuracy | wrong frames | abstained | farthest wrong frame from a change of the truth |"
    )
    print("|---|---|---|---|---|---|")
    for how in arguments.filters:
        caches = [model.look(scale_planes(Image.fromarray(frame), model.size, how)) for frame in frames]
        for question, label, means_yes in QUESTIONS:
            intervals = story["truth"][label]
            decisions = [model.decide(cache, question) for cache in caches]
            yes = np.array([decision.probability >= 0.5 for decision in decisions])
            abstained = np.array([decision.mass < 0.5 for decision in decisions])
            wrong = abstained | (yes != (is_true_at(seconds, intervals) == means_yes))
            farthest = max((distance_to_change(second, intervals) for second in seconds[wrong]), default=0.0)
            print(
                f"| {question} | {how} | {1 - wrong.mean():.4f} | {wrong.sum()} | {abstained.sum()} | {farthest:.2f} s |"
            )


if __name__ == "__main__":
    main()
