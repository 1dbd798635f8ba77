"""Measures the exported VLM on scenes that it never saw, and prints the tables of `models/README.md`.

    python scripts/yard/evaluate_vlm.py

Per kind of question: how often the verdict is right, how often the whole answer is, word for word, and how often the
model abstains although it could judge. Then calibration, and how often it abstains from questions that nobody could
answer, in words that it was trained on and in words that it wasn't. Last the time that a verdict takes.
"""

import argparse
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from evaluate_classifier import calibration_error
from questions import CANNOT_TELL, KINDS, ask, ask_unjudgeable
from scenes import sample_scene, truth
from vlm_examples import make_example
from vlm_onnx import DEFAULT_FOLDER, OnnxVlm

FIRST_SEED = 27_000_000
ABSTAIN_BELOW = 0.5
BINS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_FOLDER, help="folder with manifest.toml")
    parser.add_argument("--count", type=int, default=1_500, help="held-out scenes")
    parser.add_argument("--questions", type=int, default=8, help="about each of them")
    parser.add_argument("--no-answers", action="store_true", help="verdicts only, which is faster")
    arguments = parser.parse_args()

    model = OnnxVlm(arguments.model)
    results, unjudgeable = measure(model, arguments)
    print(f"seeds {FIRST_SEED} to {FIRST_SEED + arguments.count - 1}, {len(results)} questions\n")
    print_kinds(results)
    print_calibration(results)
    print_abstention(results, unjudgeable)
    print_speed(model)


def measure(model: OnnxVlm, arguments: argparse.Namespace) -> tuple[list, dict]:
    """(kind, truth, decision without its cache, whole answer right) of every question; masses of the unjudgeable ones."""
    results, unjudgeable = [], defaultdict(list)
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.count):
        seen, dice = truth(sample_scene(seed)), random.Random(seed)
        cache = model.look(make_example(seed)[0])
        for _ in range(arguments.questions):
            asked = ask(seen, dice)
            decision = model.decide(cache, asked.text)
            whole = arguments.no_answers or model.explain(decision) == asked.answer
            results.append((asked.kind, asked.yes, decision.probability, decision.mass, whole))
        for unseen in (False, True):
            decision = model.decide(cache, ask_unjudgeable(dice, unseen).text)
            unjudgeable[unseen].append((decision.mass, arguments.no_answers or model.explain(decision) == CANNOT_TELL))
    return results, unjudgeable


def print_kinds(results: list) -> None:
    print("| question | asked | verdict right | whole answer right | abstained | share of yes |")
    print("|---|---|---|---|---|---|")
    for kind in (*KINDS, "all"):
        rows = [row for row in results if kind in (row[0], "all")]
        if not rows:
            continue
        yes, probability, mass, whole = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
        judged = mass >= ABSTAIN_BELOW
        right = judged & ((probability >= 0.5) == yes)
        print(
            f"| {kind} | {len(rows)} | {right.mean():.4f} | {whole.mean():.4f} "
            f"| {1 - judged.mean():.4f} | {yes.mean():.3f} |"
        )


def print_calibration(results: list) -> None:
    """ECE of the probability of yes over 15 bins, and how often yes was true in each of ten."""
    yes, probability = np.array([row[1] for row in results]), np.array([row[2] for row in results])
    print(f"\nECE {calibration_error(probability, yes):.4f}\n")
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    print("```text")
    print("said        questions  yes was true")
    for chosen in range(BINS):
        members = place == chosen
        share = yes[members].mean() if members.any() else float("nan")
        bar = "#" * round(40 * share) if members.any() else ""
        print(f"{chosen / BINS:.1f} to {(chosen + 1) / BINS:.1f} {members.sum():>10}  {share:>5.3f} {bar}")
    print("```")


def print_abstention(results: list, unjudgeable: dict) -> None:
    masses = np.array([row[3] for row in results])
    print('\n| questions | asked | abstained | median answer mass | said "I can\'t tell." |')
    print("|---|---|---|---|---|")
    print(f"| judgeable | {len(masses)} | {(masses < ABSTAIN_BELOW).mean():.4f} | {np.median(masses):.4f} | |")
    for unseen, name in ((False, "unjudgeable, words as in training"), (True, "unjudgeable, words never trained on")):
        masses, said = (np.array(column) for column in zip(*unjudgeable[unseen], strict=True))
        print(
            f"| {name} | {len(masses)} | {(masses < ABSTAIN_BELOW).mean():.4f} | {np.median(masses):.4f} | {said.mean():.4f} |"
        )


def print_speed(model: OnnxVlm, times: int = 60) -> None:
    """Medians on one thread."""
    picture, question = make_example(FIRST_SEED)[0], "Is there a person inside the zone marked with yellow tape?"
    looked, decided, explained = [], [], []
    for _ in range(times):
        begun = time.perf_counter()
        cache = model.look(picture)
        seen = time.perf_counter()
        decision = model.decide(cache, question)
        judged = time.perf_counter()
        model.explain(decision)
        looked.append(seen - begun)
        decided.append(judged - seen)
        explained.append(time.perf_counter() - judged)
    print("\n| step, one thread | median ms |")
    print("|---|---|")
    for name, spent in (
        ("picture and shared prompt", looked),
        ("each question", decided),
        ("explanation", explained),
        ("whole verdict", np.add(looked, decided)),
    ):
        print(f"| {name} | {1e3 * np.median(spent):.1f} |")


if __name__ == "__main__":
    main()
