"""What a check costs with each family of models, beside the bare `session.run`s of the same graphs in Python.

Both sides run on one core with one thread, and take turns. Ours is `scripts/bench-models.rs`: scale, tensor, engine, verdict.
The reference is nothing but `session.run` on arrays that are there already, one for each graph that a verdict needs.
"""
import json
import os
import statistics
import tempfile

from bench_pinned import LIBRARY, ROOT, SHARED, Worker, build, die, library_version, reference_python, say
from model_folder import model_folder

PICTURE = "images/misc/jetson_peds_0.jpg"  # 1920x1080
SMALLER = "images/frames/counter_034.00.jpg"  # 768x432, as a camera's second stream
LABELLED_GOAL, VERDICT_GOAL, FURTHER_GOAL = 1.15, 1.2, 0.35
LABELLED = {
    "yolox-nano": "yolox_nano.onnx",
    "nanodet-m-416": "nanodet_m_416.onnx",
    "ultraface-rfb-320": "ultraface-RFB-320.onnx",
    "squeezenet-fp16": "SqueezeNet_fp16.onnx",
}

# One graph, one input of the declared shape.
BARE = """
import json, sys, time
import numpy, onnxruntime
onnxruntime.set_default_logger_severity(3)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
entry = session.get_inputs()[0]
shape = [side if isinstance(side, int) else 1 for side in entry.shape]
kind = "float16" if "float16" in entry.type else "float32"
feed = {entry.name: numpy.random.default_rng(1).uniform(0, 255, shape).astype(kind)}
for line in sys.stdin:
    costs = []
    for _ in range(int(line)):
        began = time.perf_counter()
        session.run(None, feed)
        costs.append((time.perf_counter() - began) * 1e3)
    print(json.dumps(costs), flush=True)
"""

# The three graphs of a VLM: a verdict is one run of each over the whole prompt. A line "N explain TEXT" decodes greedily as
# many tokens as TEXT has, N times, and tells what the decoding alone took, and how many tokens that were.
BARE_VLM = """
import json, sys, time, tomllib
from pathlib import Path
import numpy, onnxruntime
from tokenizers import Tokenizer
onnxruntime.set_default_logger_severity(3)
folder, question = Path(sys.argv[1]), sys.argv[2]
manifest = tomllib.loads((folder / "manifest.toml").read_text())
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
opened = lambda key: onnxruntime.InferenceSession(
    str(folder / manifest["files"][key]["path"]), options, providers=["CPUExecutionProvider"])
vision, embed, decoder = opened("vision_encoder"), opened("embed_tokens"), opened("decoder")
tokenizer = Tokenizer.from_file(str(folder / manifest["files"]["tokenizer"]["path"]))
images = manifest["prompt"]["image_tokens"]
fake = "<fake_token_around_image>"
prompt = f"<|im_start|>User:{fake}<global-img>{'<image>' * images}{fake}{question}<end_of_utterance>\\nAssistant:"
ids = numpy.array([tokenizer.encode(prompt, add_special_tokens=False).ids], "int64")
width, height = manifest["input"]["size"]
pixels = numpy.random.default_rng(1).uniform(-1, 1, (1, 1, 3, height, width)).astype("float32")
seen = {"pixel_values": pixels, "pixel_attention_mask": numpy.ones((1, 1, height, width), bool)}
past = [entry for entry in decoder.get_inputs() if entry.name.startswith("past")]
kind = lambda entry: "float16" if "float16" in entry.type else "float32"
empty = {entry.name: numpy.zeros((1, entry.shape[1], 0, entry.shape[3]), kind(entry)) for entry in past}
image = tokenizer.token_to_id("<image>")


def verdict():
    features = vision.run(None, seen)[0]
    values = embed.run(None, {"input_ids": ids})[0]
    values[ids == image] = features.reshape(-1, features.shape[-1])
    length = ids.shape[1]
    feed = {"inputs_embeds": values, "attention_mask": numpy.ones((1, length), "int64"),
            "position_ids": numpy.arange(length)[None], **empty}
    return decoder.run(None, feed)


def decode(logits, cache, tokens):
    total = ids.shape[1]
    for _ in range(tokens):
        token = numpy.array([[logits[0, -1].argmax()]], "int64")
        total += 1
        feed = {"inputs_embeds": embed.run(None, {"input_ids": token})[0],
                "attention_mask": numpy.ones((1, total), "int64"), "position_ids": numpy.array([[total - 1]])}
        feed |= {entry.name: value for entry, value in zip(past, cache)}
        logits, *cache = decoder.run(None, feed)


for line in sys.stdin:
    count, _, text = line.strip().partition(" explain ")
    tokens = len(tokenizer.encode(" " + text, add_special_tokens=False).ids) if text else 0
    costs = []
    for _ in range(int(count)):
        began = time.perf_counter()
        logits, *cache = verdict()
        if tokens:
            began = time.perf_counter()
            decode(logits, cache, tokens)
        costs.append((time.perf_counter() - began) * 1e3)
    print(json.dumps({"costs": costs, "tokens": tokens} if tokens else costs), flush=True)
"""

QUESTION = "Is there a person inside the zone marked with yellow tape?"


def models(arguments):
    for needed in [LIBRARY, SHARED / PICTURE, SHARED / SMALLER]:
        needed.exists() or die(f"`{needed}` is missing; run scripts/setup, and put the shared data beside the repository")
    version = library_version()
    python = reference_python(version)
    example = arguments.example or build("example", "model_cost")
    cpu = max(os.sched_getaffinity(0)) if arguments.cpu is None else arguments.cpu
    figures = {}
    with tempfile.TemporaryDirectory() as parent:
        for name, file in LABELLED.items():
            folder = model_folder(name, SHARED / "models", parent)
            ours, bare = [example, LIBRARY, folder, SHARED / PICTURE], [python, "-c", BARE, folder / file]
            figures[name] = against(cpu, ours, bare, arguments) | {"goal": LABELLED_GOAL}
            tell(name, figures[name])
    folder = ROOT / "models/yard"
    bare = [python, "-c", BARE_VLM, folder, QUESTION]
    # So small a model takes no longer than scaling a full HD frame does: with both, to tell the two apart.
    for name, picture in [("yard, 768x432", SMALLER), ("yard", PICTURE)]:
        ours = [example, LIBRARY, folder, SHARED / picture]
        figures[name] = against(cpu, ours, bare, arguments) | {"goal": VERDICT_GOAL}
        tell(name, figures[name])
    figures["yard"] |= words(cpu, ours, bare, arguments)
    yard = figures["yard"]
    say(f"yard: the 2nd to 8th question cost {yard['further_ratio']:.3f} of the first each ({yard['further_ms']:.2f} of "
        f"{yard['first_ms']:.2f} ms); goal: at most {FURTHER_GOAL}")
    say(f"yard: an explanation comes at {yard['tokens_per_s']:.0f} tokens/s, in Python at "
        f"{yard['reference_tokens_per_s']:.0f}")
    say(f"models: 1920x1080, onnxruntime {version}, one thread on core {cpu}, medians of {arguments.rounds} rounds of "
        f"{arguments.checks}")
    if arguments.json:
        print(json.dumps({"onnxruntime": version, "models": figures}))


def against(cpu, ours, bare, arguments):
    """The ratio of a check to the bare runs, taking turns, and what a check takes from the allocator."""
    checks, ratios, whole, runs = arguments.checks, [], [], []
    with Worker(cpu, ours) as product, Worker(cpu, bare) as reference:
        for side in (product, reference):
            side.run(checks)  # caches, clocks and allocators warm up
        for number in range(arguments.rounds):
            sides = [product, reference] if number % 2 == 0 else [reference, product]
            costs = {side: statistics.median(side.run(checks)) for side in sides}
            whole.append(costs[product])
            runs.append(costs[reference])
            ratios.append(whole[-1] / runs[-1])
        taken = product.run(f"heap {checks}")
    return taken | {"ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
                    "check_ms": statistics.median(whole), "reference_ms": statistics.median(runs)}


def words(cpu, ours, bare, arguments):
    """What further questions and explanations cost."""
    first, further, ours_rate, bare_rate = [], [], [], []
    with Worker(cpu, ours) as product, Worker(cpu, bare) as reference:
        for _ in range(arguments.rounds):
            one = statistics.median(product.run(f"{arguments.checks} 1"))
            eight = statistics.median(product.run(f"{arguments.checks} 8"))
            first.append(one)
            further.append((eight - one) / 7)
            explained = product.run(f"{arguments.checks} 1 explain")
            decoded = reference.run(f"{arguments.checks} explain {explained[0][1]}")
            told = statistics.median(took for took, _ in explained)
            ours_rate.append(decoded["tokens"] / (told - one) * 1e3)
            bare_rate.append(decoded["tokens"] / statistics.median(decoded["costs"]) * 1e3)
    ratios = [more / one for more, one in zip(further, first)]
    return {"first_ms": statistics.median(first), "further_ms": statistics.median(further),
            "further_ratio": statistics.median(ratios), "tokens_per_s": statistics.median(ours_rate),
            "reference_tokens_per_s": statistics.median(bare_rate)}


def tell(name, figures):
    say("{name:>17}: a check {check_ms:.2f} ms, bare session.run in Python {reference_ms:.2f} ms, ratio {ratio:.3f} "
        "({ratio_min:.3f} to {ratio_max:.3f}), goal {goal}; {bytes_per_check} bytes in {blocks_per_check} blocks from the "
        "allocator (frame {frame_bytes}, tensor {tensor_bytes})".format(name=name, **figures))
