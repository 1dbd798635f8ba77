"""Runs a VLM folder in SmolVLM's layout with onnxruntime, as the daemon does.

`look` encodes a picture and prefills the prompt's part that all questions share; `decide` asks one question of it;
`explain` lets the model say why. Precisions of the files may differ: what is fed follows the graphs' declarations.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from vlm_text import END, NO_WORDS, YES_WORDS, encode, image_prefix, question_suffix, single_tokens

LONGEST_EXPLANATION = 40
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "models" / "yard"
Cache = list[np.ndarray]


@dataclass(frozen=True)
class Decision:
    """`score` is log P(yes) - log P(no), `mass` P(yes) + P(no) of all tokens, `probability` the calibrated one of yes."""

    score: float
    mass: float
    probability: float
    likeliest: int
    cache: Cache


class OnnxVlm:
    """The three graphs, the tokenizer and the manifest of a folder."""

    def __init__(self, folder: Path, threads: int = 1):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        files = {name: folder / entry["path"] for name, entry in self.manifest["files"].items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.vision, self.embed, self.decoder = (
            onnxruntime.InferenceSession(files[name], options, ["CPUExecutionProvider"])
            for name in ("vision_encoder", "embed_tokens", "decoder")
        )
        self.tokenizer = Tokenizer.from_file(str(files["tokenizer"]))
        self.prefix = encode(self.tokenizer, image_prefix(self.manifest["prompt"]["image_tokens"]))
        self.image, self.end = (self.tokenizer.token_to_id(token) for token in ("<image>", END))
        self.yes, self.no = (single_tokens(self.tokenizer, words) for words in (YES_WORDS, NO_WORDS))
        self.past = [taken for taken in self.decoder.get_inputs() if taken.name.startswith("past")]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures that `look` takes."""
        return tuple(self.manifest["input"]["size"])

    def features(self, picture: np.ndarray) -> np.ndarray:
        """u8 RGB at the model's size to the image tokens [tokens, hidden]."""
        settings = self.manifest["input"]
        scaled = (picture * settings["scale"] - np.array(settings["mean"])) / np.array(settings["std"])
        pixels = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None, None], np.float32)
        mask = np.ones((1, 1, *picture.shape[:2]), bool)
        (features,) = self.vision.run(None, {"pixel_values": pixels, "pixel_attention_mask": mask})
        return features.reshape(-1, features.shape[-1])

    def look(self, picture: np.ndarray) -> Cache:
        """The cache after the prompt's first part, picture included."""
        features = self.features(picture)
        ids = np.array([self.prefix], np.int64)
        (values,) = self.embed.run(None, {"input_ids": ids})
        values[ids == self.image] = features
        empty = [np.zeros((1, taken.shape[1], 0, taken.shape[3]), np.float32) for taken in self.past]
        return self.decode(values, empty)[1]

    def question_tokens(self, question: str) -> list[int]:
        """The prompt's part after the picture."""
        return encode(self.tokenizer, question_suffix(question))

    def decide(self, cache: Cache, question: str) -> Decision:
        logits, grown = self.read(self.question_tokens(question), cache)
        logits = logits.astype(np.float64)
        total, yes, no = (log_sum(logits[ids]) for ids in (slice(None), self.yes, self.no))
        calibration = self.manifest["calibration"]
        calibrated = (yes - no) / calibration["temperature"] + calibration["bias"]
        mass = float(np.exp(yes - total) + np.exp(no - total))
        probability = float(1 / (1 + np.exp(-np.clip(calibrated, -50, 50))))
        return Decision(float(yes - no), mass, probability, int(logits.argmax()), grown)

    def explain(self, decision: Decision) -> str:
        """The answer in words; it begins with what was decided, or with the likeliest token where nothing was."""
        token = decision.likeliest
        if decision.mass >= 0.5:
            token = encode(self.tokenizer, " Yes" if decision.probability >= 0.5 else " No")[0]
        said, cache = [], decision.cache
        while token != self.end and len(said) < LONGEST_EXPLANATION:
            said.append(token)
            logits, cache = self.read([token], cache)
            token = int(logits.argmax())
        return self.tokenizer.decode(said).strip()

    def read(self, tokens: list[int], cache: Cache) -> tuple[np.ndarray, Cache]:
        """The logits after these tokens, and the grown cache."""
        (values,) = self.embed.run(None, {"input_ids": np.array([tokens], np.int64)})
        return self.decode(values, cache)

    def decode(self, values: np.ndarray, cache: Cache) -> tuple[np.ndarray, Cache]:
        known, length = cache[0].shape[2], values.shape[1]
        fed = {
            "inputs_embeds": values,
            "attention_mask": np.ones((1, known + length), np.int64),
            "position_ids": np.arange(known, known + length)[None],
        }
        logits, *grown = self.decoder.run(
            None, fed | {taken.name: part for taken, part in zip(self.past, cache, strict=True)}
        )
        return logits[0, -1], grown


def log_sum(values: np.ndarray) -> float:
    """log(sum(exp(values)))"""
    largest = values.max()
    return float(largest + np.log(np.exp(values - largest).sum()))
