"""Runs the exported classifier on every frame of the demo's clip and compares with the clip's truth.

    python scripts/yard/evaluate_clip.py

Decodes with gst-launch-1.0 (avdec_h264), scales plane by plane with each of the filters a daemon might use.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from camera_path import FILTERS, scale_planes
from evaluate_classifier import DEFAULT_FOLDER, Classifier

DEFAULT_CLIP = Path(__file__).resolve().parents[2] / "tests" / "data" / "yard.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_FOLDER, help="folder with manifest.toml")
    parser.add_argument("--clip", type=Path, default=DEFAULT_CLIP, help="with its truth beside it, as .json")
    arguments = parser.parse_args()

    classifier = Classifier(arguments.model)
    story = json.loads(arguments.clip.with_suffix(".json").read_text())
    frames = decode(arguments.clip, story["width"], story["height"])
    seconds = np.arange(len(frames)) / story["frames_per_second"]
    print(f"{len(frames)} frames\n")
    print("| label | scaled with | accuracy | wrong frames | farthest of them from a change of the truth |")
    print("|---|---|---|---|---|")
    for how in FILTERS:
        size = tuple(classifier.input["size"])
        pictures = np.stack([scale_planes(Image.fromarray(frame), size, how) for frame in frames])
        said = classifier.probabilities(pictures) > 0.5
        for column, label in enumerate(classifier.labels):
            intervals = story["truth"][label]
            wrong = said[:, column] != is_true_at(seconds, intervals)
            farthest = max((distance_to_change(second, intervals) for second in seconds[wrong]), default=0.0)
            print(f"| {label} | {how} | {1 - wrong.mean():.4f} | {wrong.sum()} | {farthest:.2f} s |")


def decode(clip: Path, width: int, height: int) -> np.ndarray:
    """All frames as u8 RGB [frames, height, width, 3]."""
    with tempfile.NamedTemporaryFile() as raw:
        launch = (
            f"gst-launch-1.0 -q filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 "
            f"! videoconvert ! video/x-raw,format=RGB ! filesink location={raw.name}"
        )
        subprocess.run(launch.split(), check=True)
        return np.fromfile(raw.name, np.uint8).reshape(-1, height, width, 3)


def is_true_at(seconds: np.ndarray, intervals: list[list[float]]) -> np.ndarray:
    """Whether each moment lies in one of the [start, end) intervals."""
    within = [(seconds >= start - 1e-3) & (seconds < end - 1e-3) for start, end in intervals]
    return np.any(within, axis=0) if within else np.zeros(len(seconds), bool)


def distance_to_change(second: float, intervals: list[list[float]]) -> float:
    """Seconds to the nearest start or end of an interval."""
    return min(abs(second - moment) for interval in intervals for moment in interval)


if __name__ == "__main__":
    main()
