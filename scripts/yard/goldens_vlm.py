"""Writes `tests/data/yard-goldens`: pictures, questions, and what transformers' own `generate` answers with `models/yard`'s weights.

    python scripts/yard/goldens_vlm.py

The language side is transformers' SmolVLM, with the weights read out of the shipped graphs; the vision side is the shipped
graph in ONNX Runtime, because transformers has no encoder like it. tests/it/vlm_parity.rs compares the product with it,
and asks for this script whenever `models/yard` is another one. Needs what scripts/fixtures/requirements.txt lists.
"""

import argparse
import json
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from PIL import Image
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from questions import ask, ask_unjudgeable
from render import render
from scenes import sample_scene, truth
from vlm_onnx import DEFAULT_FOLDER, OnnxVlm

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "fixtures"))
from folder import rounded, write_json

FIRST_SEED = 29_000_000  # neither trained, calibrated nor measured on
PICTURES, QUESTIONS = 8, 6
NEW_TOKENS = 24
TOLERANCE = 1e-3
PARTS = {
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.o_proj": "out",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_FOLDER, help="folder with manifest.toml")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "data" / "yard-goldens")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    exported = OnnxVlm(arguments.model)
    model = transformers_model(arguments.model, exported)
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    prompts, worst = [], 0.0
    for seed in range(FIRST_SEED, FIRST_SEED + PICTURES):
        picture = clean_picture(seed, exported.size)
        Image.fromarray(picture).save(arguments.out / f"{seed}.png", optimize=True)
        seen, dice = truth(sample_scene(seed)), random.Random(seed)
        for number in range(QUESTIONS):
            asked = ask_unjudgeable(dice) if number == QUESTIONS - 1 else ask(seen, dice)
            prompts.append(golden(model, exported, picture, asked.text) | {"image": f"{seed}.png"})
            logits, _ = exported.read(exported.question_tokens(asked.text), exported.look(picture))
            worst = max(worst, float(np.abs(logits - np.array(prompts[-1]["logits"])).max()))
    if worst > TOLERANCE / 10:
        raise SystemExit(f"transformers and the shipped graphs differ by {worst}: are the graphs fp32?")
    write_json(
        arguments.out / "goldens.json",
        {
            "made_with": "transformers SmolVLMForConditionalGeneration.generate, greedy, f32",
            "made_for": {name: entry["sha256"] for name, entry in exported.manifest["files"].items()},
            "tolerance": TOLERANCE,
            "largest_difference_here": rounded(worst, 3),
            "max_new_tokens": NEW_TOKENS,
            "prompts": prompts,
        },
    )
    print(f"{len(prompts)} prompts, largest difference {worst:.2e}")


def clean_picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """A scene at the model's size, without the grain and noise that PNG packs badly."""
    scene = sample_scene(seed)
    scene = replace(scene, ground=replace(scene.ground, grain=0.0), light=replace(scene.light, noise=0.0))
    return render(scene, *size)


def transformers_model(folder: Path, exported: OnnxVlm) -> SmolVLMForConditionalGeneration:
    """transformers' SmolVLM with the weights of the shipped decoder, seeing through the shipped vision encoder."""
    config = SmolVLMConfig(**json.loads((folder / "config.json").read_text()))
    model = SmolVLMForConditionalGeneration(config).eval().float()
    text = weights_of(exported, folder)
    missing, unexpected = model.load_state_dict(text, strict=False)
    blind = [name for name in missing if not name.startswith(("model.vision_model", "model.connector"))]
    if blind or unexpected:
        raise SystemExit(f"the decoder isn't transformers' Llama: missing {blind}, unexpected {unexpected}")

    def see(pixel_values, pixel_attention_mask=None, **_):
        fed = {"pixel_values": pixel_values.numpy(), "pixel_attention_mask": pixel_attention_mask.numpy()}
        (features,) = exported.vision.run(None, fed)
        return BaseModelOutputWithPooling(pooler_output=list(torch.from_numpy(features)))

    model.model.get_image_features = see
    return model


def weights_of(exported: OnnxVlm, folder: Path) -> dict[str, torch.Tensor]:
    """The language side's weights under transformers' names."""
    files = {name: folder / entry["path"] for name, entry in exported.manifest["files"].items()}
    (table,) = constants(onnx.load(files["embed_tokens"])).values()
    graph = onnx.load(files["decoder"])
    values = constants(graph)
    # Of a linear layer, the exporter keeps the place in the node's name, and the weight transposed.
    linear = {
        node.name: values[node.input[1]].T
        for node in graph.graph.node
        if node.op_type == "MatMul" and node.input[1] in values
    }
    head = linear["/MatMul"]
    if not torch.equal(head, table):
        raise SystemExit("the decoder's head isn't the table of embeddings")
    found = {"lm_head.weight": head, "model.text_model.embed_tokens.weight": table}
    found["model.text_model.norm.weight"] = values["norm.weight"]
    layers = sum(name.endswith("/query/MatMul") for name in linear)
    for layer in range(layers):
        there = f"model.text_model.layers.{layer}"
        for theirs, ours in PARTS.items():
            found[f"{there}.{theirs}.weight"] = linear[f"/layers.{layer}/{ours}/MatMul"].contiguous()
        found[f"{there}.input_layernorm.weight"] = values[f"layers.{layer}.before.weight"]
        found[f"{there}.post_attention_layernorm.weight"] = values[f"layers.{layer}.between.weight"]
    return found


def constants(graph: onnx.ModelProto) -> dict[str, torch.Tensor]:
    return {part.name: torch.from_numpy(numpy_helper.to_array(part).copy()) for part in graph.graph.initializer}


@torch.no_grad()
def golden(model: SmolVLMForConditionalGeneration, exported: OnnxVlm, picture: np.ndarray, question: str) -> dict:
    """What transformers makes of one question."""
    tokens = exported.prefix + exported.question_tokens(question)
    ids = torch.tensor([tokens])
    pixels = torch.from_numpy(((picture.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1).copy())[None, None]
    answer = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=pixels,
        pixel_attention_mask=torch.ones(1, 1, *picture.shape[:2], dtype=torch.bool),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        eos_token_id=exported.end,
        pad_token_id=exported.tokenizer.token_to_id("<|im_end|>"),
        return_dict_in_generate=True,
        output_logits=True,
    )
    generated = [token for token in answer.sequences[0, len(tokens) :].tolist() if token != exported.end]
    first = answer.logits[0][0].double()
    mass = torch.softmax(first, -1)
    return {
        "question": question,
        "tokens": tokens,
        "generated": generated,
        "text": exported.tokenizer.decode(generated),
        "z": rounded((first[exported.yes].logsumexp(0) - first[exported.no].logsumexp(0)).item()),
        "answer_mass": rounded((mass[exported.yes].sum() + mass[exported.no].sum()).item()),
        "logits": [round(logit, 4) for logit in first.tolist()],
    }


if __name__ == "__main__":
    main()
