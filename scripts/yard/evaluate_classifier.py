"""Measures the exported classifier on scenes that it never saw, and prints the table of `models/README.md`.

    python scripts/yard/evaluate_classifier.py

Needs onnxruntime, numpy and pillow. The pictures take the same random path as at training (compression, YUV, scaling).
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

from examples import make_examples

FIRST_SEED = 7_000_000
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "models" / "yard-classifier"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_FOLDER, help="folder with manifest.toml")
    parser.add_argument("--count", type=int, default=4_000, help="held-out scenes")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    arguments = parser.parse_args()

    classifier = Classifier(arguments.model)
    pictures, _, truth = make_examples(FIRST_SEED, arguments.count, arguments.workers)
    said = np.concatenate(
        [classifier.probabilities(pictures[start : start + 100]) for start in range(0, len(pictures), 100)]
    )
    print(f"seeds {FIRST_SEED} to {FIRST_SEED + arguments.count - 1}\n")
    print("| label | accuracy | precision | recall | ECE | share of yes |")
    print("|---|---|---|---|---|---|")
    for column, label in enumerate(classifier.labels):
        print(table_row(label, said[:, column], truth[:, column].astype(bool)))


class Classifier:
    """A model folder with a `sigmoid` head, run by onnxruntime as its manifest says."""

    def __init__(self, folder: Path):
        manifest = tomllib.loads((folder / "manifest.toml").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            folder / manifest["files"]["model"]["path"], options, ["CPUExecutionProvider"]
        )
        self.labels = (folder / manifest["files"]["labels"]["path"]).read_text().split()
        self.input = manifest["input"]
        self.calibration = manifest["calibration"]

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """u8 RGB [N,H,W,3] at the model's size to probabilities [N, labels]."""
        mean, std = np.array(self.input["mean"]), np.array(self.input["std"])
        scaled = ((pictures * self.input["scale"] - mean) / std).astype(np.float32)
        name = self.session.get_inputs()[0].name
        (logits,) = self.session.run(None, {name: np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))})
        calibrated = logits / self.calibration["temperature"] + self.calibration["bias"]
        return 1 / (1 + np.exp(-np.clip(calibrated, -50, 50)))


def table_row(label: str, probability: np.ndarray, truth: np.ndarray) -> str:
    """One line of the table, at the threshold 0.5."""
    said = probability > 0.5
    hits = (said & truth).sum()
    precision, recall = hits / max(1, said.sum()), hits / max(1, truth.sum())
    return (
        f"| {label} | {(said == truth).mean():.4f} | {precision:.4f} | {recall:.4f} "
        f"| {calibration_error(probability, truth):.4f} | {truth.mean():.3f} |"
    )


def calibration_error(probability: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the probability of yes, over equally wide bins."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    error = 0.0
    for chosen in range(bins):
        members = place == chosen
        if members.any():
            error += members.mean() * abs(probability[members].mean() - truth[members].mean())
    return error


if __name__ == "__main__":
    main()
