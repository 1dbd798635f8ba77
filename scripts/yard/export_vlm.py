"""Makes `models/yard/` of a checkpoint: three ONNX graphs in SmolVLM's published layout, calibration, manifest.

    python scripts/yard/export_vlm.py vlm.pt

Every file can be `fp32`, `fp16` or `int8`. What is shipped, and why, is in `models/README.md`. Temperature and bias are
fitted on the files as they are written, on scenes that are neither trained nor measured on.
"""

import argparse
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from questions import ask
from scenes import sample_scene, truth
from vlm import Shape, Vlm
from vlm_examples import make_example
from vlm_onnx import DEFAULT_FOLDER, OnnxVlm
from vlm_text import build_tokenizer

CALIBRATION_FIRST_SEED = 25_000_000  # evaluate_vlm.py uses seeds from 27_000_000 on
PRECISIONS = ("fp32", "fp16", "int8")

MANIFEST = """\
# Made by scripts/yard/export_vlm.py; what it is and how good it is: models/README.md
name = "yard"
family = "vlm"
licence = "MIT OR Apache-2.0"
source = "scripts/yard/train_vlm.py"

[files]
vision_encoder = {{ path = "vision_encoder.onnx", sha256 = "{vision_encoder}" }}
embed_tokens = {{ path = "embed_tokens.onnx", sha256 = "{embed_tokens}" }}
decoder = {{ path = "decoder_model_merged.onnx", sha256 = "{decoder}" }}
tokenizer = {{ path = "tokenizer.json", sha256 = "{tokenizer}" }}

[input]
size = [{size}, {size}]
resize = "squash"
color = "rgb"
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[prompt]
style = "smolvlm"
image_tokens = {image_tokens}

[calibration]
temperature = {temperature:.4f}
bias = {bias:.4f}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--vision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--embed", choices=PRECISIONS, default="fp32")
    parser.add_argument("--decoder", choices=PRECISIONS, default="fp32")
    parser.add_argument("--calibration-scenes", type=int, default=1_000)
    arguments = parser.parse_args()

    model = load(arguments.checkpoint)
    arguments.out.mkdir(parents=True, exist_ok=True)
    graphs = {
        "vision_encoder": (export_vision, arguments.vision),
        "embed_tokens": (export_embedding, arguments.embed),
        "decoder_model_merged": (export_decoder, arguments.decoder),
    }
    for name, (export, precision) in graphs.items():
        path = arguments.out / f"{name}.onnx"
        export(model, path)
        convert(path, precision)
        print(f"{path.name}: {precision}, {path.stat().st_size} bytes")
    tokenizer = build_tokenizer()
    tokenizer.save(str(arguments.out / "tokenizer.json"))
    for name, content in descriptions(model.shape, tokenizer).items():
        (arguments.out / name).write_text(json.dumps(content, indent=2) + "\n")
    write_manifest(arguments.out, model.shape, 1.0, 0.0)
    print("largest difference from torch:", difference(model, OnnxVlm(arguments.out)))
    temperature, bias = calibrate(OnnxVlm(arguments.out), arguments.calibration_scenes)
    write_manifest(arguments.out, model.shape, temperature, bias)
    print(f"calibration: temperature {temperature:.4f}, bias {bias:.4f}")


def load(checkpoint: Path) -> Vlm:
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model = Vlm(Shape(**saved["shape"]))
    model.load_state_dict(saved["weights"])
    return model.eval()


def export_vision(model: Vlm, path: Path) -> None:
    size = model.shape.size
    example = torch.zeros(1, 2, 3, size, size), torch.ones(1, 2, size, size, dtype=torch.bool)
    frames = {0: "batch_size", 1: "num_images"}
    axes = {"pixel_values": frames, "pixel_attention_mask": frames, "image_features": {0: "num_images_total"}}
    export_graph(model.vision, example, path, ["pixel_values", "pixel_attention_mask"], ["image_features"], axes)


def export_embedding(model: Vlm, path: Path) -> None:
    row = {0: "batch_size", 1: "sequence_length"}
    example = (torch.ones(1, 5, dtype=torch.long),)
    export_graph(
        model.embedding, example, path, ["input_ids"], ["inputs_embeds"], {"input_ids": row, "inputs_embeds": row}
    )


def export_decoder(model: Vlm, path: Path) -> None:
    shape, known, length = model.shape, 3, 4
    example = [
        torch.zeros(1, length, shape.hidden),
        torch.ones(1, known + length, dtype=torch.long),
        torch.arange(known, known + length)[None],
    ]
    example += [torch.zeros(1, shape.kv_heads, known, shape.head_size) for _ in range(2 * shape.layers)]
    parts = [f"{layer}.{part}" for layer in range(shape.layers) for part in ("key", "value")]
    past, present = [f"past_key_values.{part}" for part in parts], [f"present.{part}" for part in parts]
    row = {0: "batch_size", 1: "sequence_length"}
    axes = {name: row for name in ("inputs_embeds", "position_ids", "logits")}
    axes["attention_mask"] = {0: "batch_size", 1: "total_sequence_length"}
    axes |= {name: {0: "batch_size", 2: "past_sequence_length"} for name in past}
    axes |= {name: {0: "batch_size", 2: "total_sequence_length"} for name in present}
    names = ["inputs_embeds", "attention_mask", "position_ids", *past]
    export_graph(model.decoder, tuple(example), path, names, ["logits", *present], axes)


def export_graph(
    part: torch.nn.Module, example: tuple, path: Path, taken: list[str], given: list[str], axes: dict
) -> None:
    options = {"input_names": taken, "output_names": given, "dynamic_axes": axes}
    torch.onnx.export(part, example, path, opset_version=18, dynamo=False, **options)


def convert(path: Path, precision: str) -> None:
    """Rewrites the file in another precision; inputs and outputs stay float32."""
    if precision == "fp16":
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
    elif precision == "int8":
        quantize_dynamic(path, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm", "Gather"])


def descriptions(shape: Shape, tokenizer) -> dict[str, dict]:
    """The published JSON files beside the graphs."""
    start, pad, image, end = (
        tokenizer.token_to_id(token) for token in ("<|im_start|>", "<|im_end|>", "<image>", "<end_of_utterance>")
    )
    special = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    patch = 8
    config = {
        "architectures": ["SmolVLMForConditionalGeneration"],
        "model_type": "smolvlm",
        "image_token_id": image,
        "pad_token_id": pad,
        "scale_factor": shape.size // patch // shape.grid,
        "tie_word_embeddings": True,
        "use_cache": True,
        "text_config": special
        | {
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_size,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": 1024,
            "rms_norm_eps": shape.epsilon,
            "rope_theta": shape.rope_theta,
            "tie_word_embeddings": True,
        },
        "vision_config": {
            "model_type": "smolvlm_vision",
            "hidden_size": shape.vision_hidden,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.vision_heads,
            "image_size": shape.size,
            "patch_size": patch,
            "num_channels": 3,
        },
    }
    preprocessor = {
        "image_processor_type": "SmolVLMImageProcessor",
        "do_convert_rgb": True,
        "do_image_splitting": False,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "max_image_size": {"longest_edge": shape.size},
        "resample": 1,
        "rescale_factor": 0.00392156862745098,
        "size": {"longest_edge": 4 * shape.size},
    }
    return {
        "config.json": config,
        "generation_config.json": special | {"use_cache": True},
        "preprocessor_config.json": preprocessor,
    }


def write_manifest(folder: Path, shape: Shape, temperature: float, bias: float) -> None:
    names = {
        "vision_encoder": "vision_encoder.onnx",
        "embed_tokens": "embed_tokens.onnx",
        "decoder": "decoder_model_merged.onnx",
        "tokenizer": "tokenizer.json",
    }
    hashes = {name: hashlib.sha256((folder / file).read_bytes()).hexdigest() for name, file in names.items()}
    numbers = {"size": shape.size, "image_tokens": shape.image_tokens, "temperature": temperature, "bias": bias}
    (folder / "manifest.toml").write_text(MANIFEST.format(**hashes, **numbers))


@torch.no_grad()
def difference(model: Vlm, exported: OnnxVlm) -> float:
    """The largest deviation of the first answer token's logits over some scenes, from the trained network's."""
    worst = 0.0
    for seed in range(CALIBRATION_FIRST_SEED, CALIBRATION_FIRST_SEED + 8):
        picture = make_example(seed)[0]
        question = ask(truth(sample_scene(seed)), random.Random(seed)).text
        tokens = exported.question_tokens(question)
        logits, _ = exported.read(tokens, exported.look(picture))
        ids = torch.tensor([exported.prefix + tokens])
        values = model.embedding(ids)
        scaled = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        values[ids == exported.image] = model.see(scaled)[0].flatten(0, 1)
        cache = [torch.zeros(1, model.shape.kv_heads, 0, model.shape.head_size)] * (2 * model.shape.layers)
        expected = model.decoder(values, torch.ones_like(ids), torch.arange(ids.shape[1])[None], *cache)[0][0, -1]
        worst = max(worst, float(np.abs(expected.numpy() - logits).max()))
    return worst


def calibrate(model: OnnxVlm, scenes: int) -> tuple[float, float]:
    """Temperature and bias (Platt), with softened targets and a pull towards the uncalibrated score."""
    scores, truths = [], []
    for seed in range(CALIBRATION_FIRST_SEED, CALIBRATION_FIRST_SEED + scenes):
        seen, dice = truth(sample_scene(seed)), random.Random(seed)
        cache = model.look(make_example(seed)[0])
        for _ in range(6):
            asked = ask(seen, dice)
            scores.append(model.decide(cache, asked.text).score)
            truths.append(asked.yes)
    scores, positives = torch.tensor(scores, dtype=torch.float64), torch.tensor(truths)
    yes, no = int(positives.sum()), int((~positives).sum())
    targets = torch.where(positives, (yes + 1) / (yes + 2), 1 / (no + 2)).double()
    log_slope, bias = (
        torch.zeros((), dtype=torch.float64, requires_grad=True),
        torch.zeros((), dtype=torch.float64, requires_grad=True),
    )
    optimizer = torch.optim.LBFGS([log_slope, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        fit = torch.nn.functional.binary_cross_entropy_with_logits(scores * log_slope.exp() + bias, targets)
        loss = fit + 1e-4 * (log_slope.square() + bias.square())
        loss.backward()
        return loss

    optimizer.step(closure)
    return float((-log_slope).exp().detach()), float(bias.detach())


if __name__ == "__main__":
    main()
