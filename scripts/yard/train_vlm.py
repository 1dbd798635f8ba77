"""Trains the yard's VLM and writes a checkpoint; `export_vlm.py` makes `models/yard/` of it.

    python scripts/yard/train_vlm.py --out vlm.pt

First the eyes learn the dense maps, then eyes and words learn together: several questions about each picture are packed
behind one copy of its image tokens and can't see each other. Runs on CUDA where there is any, else on the CPU.

Deterministic by its seeds on one and the same CPU, unless `--minutes` cuts the run short: then the learning rate follows
the clock.
"""

import argparse
import math
import os
import random
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from questions import ask, ask_unjudgeable
from vlm import Shape, Vlm
from vlm_examples import MAPS, make_examples, unpack_facts
from vlm_text import END, build_tokenizer, encode, image_prefix, question_suffix

TRAIN_FIRST_SEED = 20_000_000
CHECK_FIRST_SEED = 24_000_000  # to watch the training; export_vlm.py calibrates on others
UNJUDGEABLE_SHARE = 0.15
VERDICT_WEIGHT = 3.0  # of the answer's first token
MAP_WEIGHT = 1.0
# How much rarer a positive cell is, by name of MAPS.
POSITIVE = torch.tensor([2.0, 2.0, 5.0, 5.0] + [1.5] * 3 + [6.0] * 6)


def main() -> None:
    arguments = parse_arguments()
    device = torch.device(arguments.device)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    print("config", vars(arguments), "torch", torch.__version__, flush=True)

    begun = time.monotonic()
    examples = [torch.from_numpy(part) for part in training_examples(arguments)]
    print(f"{time.monotonic() - begun:.0f} s: {len(examples[0])} scenes", flush=True)
    model = Vlm(Shape())
    print("parameters", {name: count(part) for name, part in model.named_children()}, "total", count(model), flush=True)
    if arguments.start:
        model.load_state_dict(torch.load(arguments.start, weights_only=True)["weights"])
    Training(model.to(device), examples, arguments, device).run()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint, written now and then and at the end")
    parser.add_argument("--start", type=Path, help="a checkpoint to start from")
    parser.add_argument("--scenes", type=int, default=40_000, help="scenes to learn from")
    parser.add_argument("--epochs", type=float, default=10, help="how often each scene is seen")
    parser.add_argument(
        "--last-step", type=int, help="end after this step, with a checkpoint; to go on with another learning rate"
    )
    parser.add_argument(
        "--minutes", type=float, help="end after this time at the latest, drawing of scenes not counted"
    )
    parser.add_argument("--eyes-share", type=float, default=0.3, help="of the training: dense maps only")
    parser.add_argument("--batch", type=int, default=32, help="scenes a step")
    parser.add_argument("--questions", type=int, default=6, help="about each scene and epoch")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the weights, the order, the questions, the augmentation"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes and pack questions")
    parser.add_argument("--threads", type=int, default=1, help="that compute, on a CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--cache", type=Path, help="keep the drawn scenes in this folder; delete it when the world changes"
    )
    parser.add_argument(
        "--check-every", type=int, default=500, help="steps between a checkpoint and a look at accuracy"
    )
    return parser.parse_args()


def training_examples(arguments: argparse.Namespace) -> list[np.ndarray]:
    """Draws the training scenes, or takes them from the cache."""
    names = ("pictures", "maps", "facts")
    if arguments.cache and all((arguments.cache / f"{name}.npy").exists() for name in names):
        kept = [np.load(arguments.cache / f"{name}.npy")[: arguments.scenes] for name in names]
        if len(kept[0]) < arguments.scenes:
            raise SystemExit(f"`{arguments.cache}` holds {len(kept[0])} scenes; delete it, or ask for so many")
        return kept
    parts = make_examples(TRAIN_FIRST_SEED, arguments.scenes, arguments.workers)
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)
        for name, part in zip(names, parts, strict=True):
            np.save(arguments.cache / f"{name}.npy", part)
    return list(parts)


class Packer:
    """Packs questions with their answers behind one image prefix a scene.

    A row is: the prefix (segment 0), then every question with its answer as a segment of its own, whose positions
    continue after the prefix. `targets` holds the token that each position has to predict, -1 where nothing is asked.
    """

    def __init__(self, image_tokens: int, questions: int):
        self.tokenizer = build_tokenizer()
        self.prefix = encode(self.tokenizer, image_prefix(image_tokens))
        image = self.tokenizer.token_to_id("<image>")
        self.image_places = [place for place, token in enumerate(self.prefix) if token == image]
        self.questions = questions

    def ask(self, row: np.ndarray, dice: random.Random):
        seen = unpack_facts(row)
        for _ in range(self.questions):
            yield ask_unjudgeable(dice) if dice.random() < UNJUDGEABLE_SHARE else ask(seen, dice)

    def pack(self, facts: np.ndarray, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens, targets, segments and positions, each [scenes, length]."""
        dice = random.Random(seed)
        rows = []
        for row in facts:
            tokens, targets = list(self.prefix), [-1] * len(self.prefix)
            segments, positions = [0] * len(self.prefix), list(range(len(self.prefix)))
            for number, asked in enumerate(self.ask(row, dice), start=1):
                question = encode(self.tokenizer, question_suffix(asked.text))
                answer = encode(self.tokenizer, f" {asked.answer}{END}")
                tokens += question + answer[:-1]
                targets += [-1] * (len(question) - 1) + answer
                length = len(question) + len(answer) - 1
                segments += [number] * length
                positions += range(len(self.prefix), len(self.prefix) + length)
            rows.append((tokens, targets, segments, positions))
        longest = max(len(row[0]) for row in rows)
        padding = (0, -1, -1, 0)
        packed = [
            [part + [filler] * (longest - len(part)) for part, filler in zip(row, padding, strict=True)] for row in rows
        ]
        return tuple(torch.tensor(np.array(packed)[:, column]) for column in range(4))


class Batches(torch.utils.data.Dataset):
    """Step number to the chosen scenes and their packed questions, the same for every number of workers."""

    def __init__(self, facts: np.ndarray, packer: Packer, arguments: argparse.Namespace, steps: range):
        self.facts, self.packer, self.steps = facts, packer, steps
        self.batch, self.seed = arguments.batch, arguments.seed
        self.an_epoch = len(facts) // arguments.batch

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int):
        if index >= len(self.steps):
            raise IndexError
        epoch, place = divmod(self.steps[index], self.an_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.facts))
        chosen = order[place * self.batch : (place + 1) * self.batch]
        return torch.from_numpy(chosen), self.packer.pack(self.facts[chosen], hash((self.seed, self.steps[index])))


class Training:
    """The training run: what is learnt, from what, and how far it is."""

    def __init__(self, model: Vlm, examples: list[torch.Tensor], arguments: argparse.Namespace, device: torch.device):
        self.model, self.arguments, self.device = model, arguments, device
        self.pictures, self.maps, self.facts = examples
        self.packer = Packer(model.shape.image_tokens, arguments.questions)
        matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.03}, {"params": vectors, "weight_decay": 0.0}],
            lr=arguments.learning_rate,
            betas=(0.9, 0.98),
        )
        self.dice = torch.Generator().manual_seed(arguments.seed)
        self.positive = POSITIVE[:, None, None].to(device)
        self.steps = int(len(self.pictures) // arguments.batch * arguments.epochs)
        self.begun = time.monotonic()

    def progress(self, step: int) -> float:
        """From 0 to 1, by steps or by the clock, whichever is further."""
        elapsed = (time.monotonic() - self.begun) / 60
        return max(step / self.steps, elapsed / self.arguments.minutes if self.arguments.minutes else 0)

    def run(self) -> None:
        step, words_since, sums = 0, None, []
        while (progress := self.progress(step)) < self.arguments.eyes_share:
            epoch, place = divmod(step, len(self.pictures) // self.arguments.batch)
            order = np.random.default_rng((self.arguments.seed, epoch)).permutation(len(self.pictures))
            chosen = torch.from_numpy(order[place * self.arguments.batch : (place + 1) * self.arguments.batch])
            sums.append(self.step(chosen, None, progress))
            step = self.report(step, sums)
        loader = torch.utils.data.DataLoader(
            Batches(self.facts.numpy(), self.packer, self.arguments, range(step, self.steps)),
            batch_size=None,
            num_workers=max(0, self.arguments.workers - 1),
        )
        words_since = step
        for chosen, packed in loader:
            if (progress := self.progress(step)) >= 1 or step == self.arguments.last_step:
                break
            sums.append(self.step(chosen, packed, progress, warm=min(1.0, (step - words_since + 1) / 300)))
            step = self.report(step, sums)
        self.save()
        print(
            f"{time.monotonic() - self.begun:.0f} s: {step} steps, {step * self.arguments.batch} pictures seen; {self.check()}"
        )

    def report(self, step: int, sums: list) -> int:
        step += 1
        if step % 100 == 0:
            words, maps = (sum(column) / len(sums) for column in zip(*sums, strict=True))
            sums.clear()
            print(f"{time.monotonic() - self.begun:.0f} s: step {step}, words {words:.4f}, maps {maps:.4f}", flush=True)
        if step % self.arguments.check_every == 0:
            self.save()
            print(f"  {self.check()}", flush=True)
        return step

    def step(self, chosen: torch.Tensor, packed, progress: float, warm: float = 1.0) -> tuple[float, float]:
        """One step of the optimiser; the losses of the words and of the maps."""
        rate = (
            self.arguments.learning_rate
            * min(1.0, progress / 0.01 + 0.02)
            * 0.5
            * (1 + math.cos(math.pi * min(1, progress)))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * warm
        pictures, maps = self.augmented(chosen)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            if packed is None:
                predicted = self.model.vision.eyes(pictures)[1]
                words = torch.zeros((), device=self.device)
            else:
                tokens, predicted = self.model.see(pictures)
                words = self.words_loss(tokens, packed)
        cells = nn.functional.binary_cross_entropy_with_logits(predicted.float(), maps, pos_weight=self.positive)
        self.optimizer.zero_grad()
        (words + MAP_WEIGHT * cells).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return words.item(), cells.item()

    def words_loss(self, image_tokens: torch.Tensor, packed) -> torch.Tensor:
        values, targets = self.answer(image_tokens, packed)
        asked = targets >= 0
        logits = values[asked] @ self.model.decoder.head.T
        wanted = targets[asked]
        losses = nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
        first = self.first(packed)[asked]
        weights = 1 + (VERDICT_WEIGHT - 1) * first.float()
        return (losses * weights).sum() / weights.sum()

    def first(self, packed) -> torch.Tensor:
        """Where the first token of an answer is predicted."""
        asked = packed[1].to(self.device) >= 0
        return asked & ~nn.functional.pad(asked, (1, 0))[:, :-1]

    def answer(self, image_tokens: torch.Tensor, packed) -> tuple[torch.Tensor, torch.Tensor]:
        """The decoder's last values, and the targets."""
        tokens, targets, segments, positions = (part.to(self.device) for part in packed)
        values = self.model.embedding(tokens).to(image_tokens.dtype)
        places = self.packer.image_places
        values = torch.cat([values[:, : places[0]], image_tokens, values[:, places[-1] + 1 :]], 1)
        same = (segments[:, :, None] == segments[:, None, :]) | (segments == 0)[:, None, :]
        causal = torch.ones(same.shape[1:], dtype=torch.bool, device=self.device).tril()
        return self.model.decoder.run(values, positions, (same & causal)[:, None])[0], targets

    def augmented(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mirrors half of the pictures and varies their colours: cheap variety on top of the drawn one."""
        many = len(chosen)
        pictures = self.pictures[chosen].to(self.device).permute(0, 3, 1, 2).float() / 255
        bits = self.maps[chosen].to(torch.int32).to(self.device)
        maps = torch.stack([bits >> place & 1 for place in range(len(MAPS))], 1).float()
        mirrored = (torch.rand(many, generator=self.dice) < 0.5).to(self.device)[:, None, None, None]
        pictures, maps = torch.where(mirrored, pictures.flip(3), pictures), torch.where(mirrored, maps.flip(3), maps)
        gain = self.between(0.85, 1.15, (many, 1, 1, 1)) * self.between(0.95, 1.05, (many, 3, 1, 1))
        pictures = (pictures * gain + self.between(-0.05, 0.05, (many, 1, 1, 1))).clamp(0, 1)
        return ((pictures - 0.5) / 0.5).contiguous(memory_format=torch.channels_last), maps

    def between(self, low: float, high: float, shape: tuple[int, ...]) -> torch.Tensor:
        return (low + (high - low) * torch.rand(shape, generator=self.dice)).to(self.device)

    @torch.no_grad()
    def check(self, many: int = 500) -> str:
        """Verdicts and whole answers on scenes that aren't trained on."""
        if not hasattr(self, "unseen"):
            self.unseen = make_examples(CHECK_FIRST_SEED, many, self.arguments.workers)
        self.model.eval()
        verdicts, whole = [], []
        for start in range(0, many, 100):
            pictures = torch.from_numpy(self.unseen[0][start : start + 100]).to(self.device).permute(0, 3, 1, 2)
            image_tokens, _ = self.model.see((pictures.float() / 255 - 0.5) / 0.5)
            packed = self.packer.pack(self.unseen[2][start : start + 100], start)
            values, targets = self.answer(image_tokens, packed)
            right = ((values @ self.model.decoder.head.T).argmax(-1) == targets) | (targets < 0)
            first = self.first(packed)
            verdicts.append(right[first])
            segments = packed[2].to(self.device)
            whole += [
                right[row][segments[row] == number].all()
                for row in range(len(right))
                for number in range(1, self.packer.questions + 1)
            ]
        self.model.train()
        return f"unseen scenes: verdicts {torch.cat(verdicts).float().mean():.4f}, whole answers {torch.stack(whole).float().mean():.4f}"

    def save(self) -> None:
        """Written beside and moved, so that a cut run leaves a whole file."""
        beside = self.arguments.out.with_suffix(".new")
        torch.save({"shape": asdict(self.model.shape), "weights": self.model.state_dict()}, beside)
        os.replace(beside, self.arguments.out)


if __name__ == "__main__":
    main()
