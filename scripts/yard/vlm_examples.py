"""Turns seeds into examples for the VLM: the picture at model size, dense maps to learn from, and the facts to ask about.

The maps say, cell by cell, where bodies, feet and wheels are, which zone the ground belongs to, and whose foot point is
inside which zone. The VLM is judged by its words only; the maps are what makes its eyes learn in minutes. Facts are
`scenes.Truth` as a row of numbers, so that hundreds of thousands of scenes fit into memory.
"""

import random
from multiprocessing import Pool

import numpy as np
from PIL import Image, ImageDraw

from camera_path import as_decoded
from examples import DRAWN_SIZES
from questions import COLOURS
from render import render
from scenes import Actor, Scene, Truth, ZoneTruth, is_inside, sample_scene, truth

SIZE = 160  # the picture is squashed to SIZE x SIZE
CELL = 4
CELLS = SIZE // CELL
MAPS = (
    "person",
    "vehicle",
    "person_foot",
    "vehicle_foot",
    *(f"{colour}_zone" for colour in COLOURS),
    *(f"person_in_{colour}" for colour in COLOURS),
    *(f"vehicle_in_{colour}" for colour in COLOURS),
)
FACTS = 2 + 3 * len(COLOURS)


def make_example(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture u8 [SIZE, SIZE, 3], maps as one bit per name of `MAPS` u16 [CELLS, CELLS], facts i8 [FACTS]."""
    scene = sample_scene(seed)
    dice = random.Random(seed ^ 0x5EED)
    width, height, supersample = dice.choice(DRAWN_SIZES)
    picture = as_decoded(render(scene, width, height, supersample=supersample), (SIZE, SIZE), dice)
    return picture, draw_maps(scene), pack_facts(truth(scene))


def make_examples(first_seed: int, count: int, workers: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stacked examples of `count` consecutive seeds; the same for every number of workers."""
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    maps = np.empty((count, CELLS, CELLS), np.uint16)
    facts = np.empty((count, FACTS), np.int8)
    with Pool(workers) as pool:
        made = pool.imap(make_example, range(first_seed, first_seed + count), chunksize=64)
        for place, (picture, cells, row) in enumerate(made):
            pictures[place], maps[place], facts[place] = picture, cells, row
    return pictures, maps, facts


def draw_maps(scene: Scene) -> np.ndarray:
    """The dense maps of a scene, one bit per name of `MAPS`."""
    layers = {name: Image.new("1", (CELLS, CELLS)) for name in MAPS}
    pens = {name: ImageDraw.Draw(layer) for name, layer in layers.items()}
    for zone in scene.zones:
        pens[f"{zone.colour}_zone"].polygon([(x * CELLS - 0.5, y * CELLS - 0.5) for x, y in zone.polygon], fill=1)
    for actor in scene.actors:
        pens[actor.kind].rectangle(
            [edge * CELLS - shift for edge, shift in zip(actor.box, (0, 0, 1, 1), strict=True)], fill=1
        )
        blob = foot_blob(actor)
        pens[f"{actor.kind}_foot"].rectangle(blob, fill=1)
        for zone in scene.zones:
            if is_inside(actor.foot, zone.polygon):
                pens[f"{actor.kind}_in_{zone.colour}"].rectangle(blob, fill=1)
    bits = [np.asarray(layers[name]).astype(np.uint16) << place for place, name in enumerate(MAPS)]
    return np.bitwise_or.reduce(bits)


def foot_blob(actor: Actor) -> tuple[int, int, int, int]:
    """Three by two cells around the foot point, whatever the actor's size, so that blobs can be counted."""
    column, row = int(actor.foot[0] * CELLS), int(actor.foot[1] * CELLS)
    column, row = max(1, min(CELLS - 2, column)), max(1, min(CELLS - 1, row))
    return column - 1, row - 1, column + 1, row


def pack_facts(seen: Truth) -> np.ndarray:
    """Persons, vehicles, then for every colour: is there such a zone, persons in it, vehicles in it."""
    row = [seen.persons, seen.vehicles]
    for colour in COLOURS:
        zone = seen.zones.get(colour)
        row += [1, zone.persons, zone.vehicles] if zone else [0, 0, 0]
    return np.array(row, np.int8)


def unpack_facts(row: np.ndarray) -> Truth:
    """The inverse of `pack_facts`."""
    persons, vehicles, *rest = (int(number) for number in row)
    triples = zip(COLOURS, rest[0::3], rest[1::3], rest[2::3], strict=True)
    return Truth(
        persons, vehicles, {colour: ZoneTruth(inside, parked) for colour, exists, inside, parked in triples if exists}
    )
