"""Trains the yard classifier, calibrates it, and writes `models/yard-classifier/`.

    python scripts/yard/train_classifier.py

Deterministic: seeds decide the scenes, the order and the weights, and one thread does the arithmetic. (Another kind of
processor may round differently and end with slightly different weights.) Needs torch, onnx, numpy and pillow; see
`models/README.md`.
"""

import argparse
import hashlib
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples import HEIGHT, MAPS, WIDTH, make_examples
from network import YardNet
from scenes import LABELS

TRAIN_FIRST_SEED = 1_000_000
CALIBRATION_FIRST_SEED = 5_000_000  # evaluate_classifier.py uses seeds from 7_000_000 on
MEAN, STD = 0.45, 0.25
MAP_WEIGHTS = torch.tensor([2.0, 2.0, 6.0, 6.0, 1.5])  # how much rarer a positive cell is, by name of MAPS
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "models" / "yard-classifier"

MANIFEST = """\
# Made by scripts/yard/train_classifier.py; what it is and how good it is: models/README.md
name = "yard-classifier"
family = "classifier"
licence = "MIT OR Apache-2.0"
source = "scripts/yard"

[files]
model = {{ path = "yard-classifier.onnx", sha256 = "{model_hash}" }}
labels = {{ path = "labels.txt", sha256 = "{labels_hash}" }}

[input]
size = [{width}, {height}]
resize = "squash"
color = "rgb"
scale = {scale}
mean = [{mean}, {mean}, {mean}]
std = [{std}, {std}, {std}]

[output]
head = "sigmoid"

# The graph's last layer is calibrated already, label by label, on seeds of its own.
[calibration]
temperature = 1.0
bias = 0.0
"""


def main() -> None:
    arguments = parse_arguments()
    print("config", vars(arguments), "torch", torch.__version__)
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    torch.use_deterministic_algorithms(True)

    begun = time.monotonic()
    examples = training_examples(arguments)
    print(
        f"{time.monotonic() - begun:.0f} s: {len(examples[0])} examples, share of yes {examples[2].mean(0).round(3)}",
        flush=True,
    )
    net = train(examples, arguments)
    pictures, _, labels = make_examples(CALIBRATION_FIRST_SEED, arguments.calibration_count, arguments.workers)
    calibrate(net, pictures, labels)
    write_model(net, arguments.out)
    print(f"{time.monotonic() - begun:.0f} s: wrote {arguments.out}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-count", type=int, default=28_000, help="scenes to learn from")
    parser.add_argument("--calibration-count", type=int, default=3_000, help="scenes to calibrate on")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order and the augmentation")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that draw scenes; changes nothing but the time"
    )
    parser.add_argument(
        "--cache", type=Path, help="keep the drawn training scenes in this .npz file; delete it when the world changes"
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER)
    return parser.parse_args()


def training_examples(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws the training scenes, or takes them from the cache."""
    if arguments.cache and arguments.cache.exists():
        cached = np.load(arguments.cache)
        return cached["pictures"], cached["maps"], cached["labels"]
    pictures, maps, labels = make_examples(TRAIN_FIRST_SEED, arguments.train_count, arguments.workers)
    if arguments.cache:
        np.savez(arguments.cache, pictures=pictures, maps=maps, labels=labels)
    return pictures, maps, labels


def train(examples: tuple[np.ndarray, np.ndarray, np.ndarray], arguments: argparse.Namespace) -> YardNet:
    """Learns the dense maps and the labels together; the learning rate falls along a cosine."""
    net = YardNet().to(memory_format=torch.channels_last)
    print("parameters", sum(parameter.numel() for parameter in net.parameters()))
    optimizer = torch.optim.AdamW(net.parameters(), lr=arguments.learning_rate, weight_decay=0.02)
    dice = np.random.default_rng(arguments.seed)
    batches = len(examples[0]) // arguments.batch
    steps, step, begun = batches * arguments.epochs, 0, time.monotonic()
    for epoch in range(arguments.epochs):
        total = 0.0
        order = dice.permutation(len(examples[0]))[: batches * arguments.batch]
        for chosen in order.reshape(batches, arguments.batch):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step / steps, arguments.learning_rate)
            pictures, maps, labels = augment([part[chosen] for part in examples], dice)
            loss = loss_of(net, pictures, maps, labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
            step += 1
        print(
            f"epoch {epoch + 1}/{arguments.epochs}: loss {total / batches:.4f}, {time.monotonic() - begun:.0f} s",
            flush=True,
        )
    return net.eval()


def learning_rate(progress: float, peak: float) -> float:
    """Warm-up over the first 2 %, then a cosine down to zero."""
    return peak * min(1.0, progress / 0.02 + 0.02) * 0.5 * (1 + math.cos(math.pi * progress))


def loss_of(net: YardNet, pictures: torch.Tensor, maps: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the labels plus that of the map cells."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        predicted = net.maps(pictures)
    predicted = predicted.float()
    cells = nn.functional.binary_cross_entropy_with_logits(predicted, maps, pos_weight=MAP_WEIGHTS[:, None, None])
    return nn.functional.binary_cross_entropy_with_logits(net.pool(predicted), labels) + 2.0 * cells


def augment(batch: list[np.ndarray], dice: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mirrors half of the pictures and varies their colours: cheap variety on top of the drawn one."""
    pictures, bits, labels = batch
    mirrored = dice.random(len(pictures)) < 0.5
    pictures[mirrored] = pictures[mirrored][:, :, ::-1]
    bits[mirrored] = bits[mirrored][:, :, ::-1]
    gain = dice.uniform(0.88, 1.12, (len(pictures), 1, 1, 1)) * dice.uniform(0.95, 1.05, (len(pictures), 1, 1, 3))
    offset = dice.uniform(-12, 12, (len(pictures), 1, 1, 1))
    coloured = np.clip(pictures * gain.astype(np.float32) + offset.astype(np.float32), 0, 255)
    maps = np.stack([bits >> place & 1 for place in range(len(MAPS))], axis=1).astype(np.float32)
    return normalised(coloured), torch.from_numpy(maps), torch.from_numpy(labels.astype(np.float32))


def normalised(pictures: np.ndarray) -> torch.Tensor:
    """[N,H,W,3] in 0..255 to what the graph takes, [N,3,H,W]."""
    scaled = (pictures.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def calibrate(net: YardNet, pictures: np.ndarray, labels: np.ndarray) -> None:
    """Fits a slope and an offset per label (Platt) on fresh scenes and folds them into the network's last layer.

    Platt's softened targets and a pull towards slope 1 keep a label that is never wrong on these scenes from becoming
    infinitely sure of itself.
    """
    with torch.no_grad():
        logits = torch.cat([net(normalised(pictures[start : start + 100])) for start in range(0, len(pictures), 100)])
    positives = torch.from_numpy(labels.astype(np.float32))
    yes = positives.sum(0)
    no = len(positives) - yes
    targets = torch.where(positives > 0.5, (yes + 1) / (yes + 2), 1 / (no + 2))
    log_slope = torch.zeros(len(LABELS), requires_grad=True)
    offset = torch.zeros(len(LABELS), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_slope, offset], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        fit = nn.functional.binary_cross_entropy_with_logits(logits * log_slope.exp() + offset, targets)
        loss = fit + 1e-3 * log_slope.square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        slope = log_slope.exp()
        net.offset.mul_(slope).add_(offset)
        net.gain.mul_(slope)
    print("calibration: slope", slope.tolist(), "offset", offset.tolist())


def write_model(net: YardNet, folder: Path) -> None:
    """One ONNX file, the labels and the manifest with both hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    model, labels = folder / "yard-classifier.onnx", folder / "labels.txt"
    torch.onnx.export(
        net.to(memory_format=torch.contiguous_format),
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        model,
        input_names=["pictures"],
        output_names=["logits"],
        dynamic_axes={"pictures": {0: "N"}, "logits": {0: "N"}},
        opset_version=17,
        dynamo=False,
    )
    labels.write_text("".join(f"{label}\n" for label in LABELS))
    manifest = MANIFEST.format(
        model_hash=sha256(model),
        labels_hash=sha256(labels),
        width=WIDTH,
        height=HEIGHT,
        scale=1 / 255,
        mean=MEAN,
        std=STD,
    )
    (folder / "manifest.toml").write_text(manifest)
    print(f"model {model.stat().st_size} bytes")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
