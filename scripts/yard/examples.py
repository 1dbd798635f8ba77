"""Turns seeds into examples for the classifier: the picture at model size, dense maps to learn from, the labels.

The maps (one cell per 4x4 pixels) say where bodies, feet and the insides of zones are. The classifier is judged by its
three labels only; the maps are what makes it learn them in minutes.
"""

import random
from multiprocessing import Pool

import numpy as np
from PIL import Image, ImageDraw

from camera_path import as_decoded
from render import render
from scenes import Scene, is_inside, sample_scene, truth

WIDTH, HEIGHT = 160, 96
CELL = 4
MAPS = ("person", "vehicle", "person_in_zone", "foot", "zone")
# Half-resolution drawings teach nearly as much as full ones and cost a third.
DRAWN_SIZES = ((320, 180, 2), (320, 180, 2), (320, 180, 2), (640, 360, 1))


def make_example(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture u8 [HEIGHT, WIDTH, 3], maps as one bit per name of `MAPS` u8 [HEIGHT/4, WIDTH/4], labels u8 [3]."""
    scene = sample_scene(seed)
    dice = random.Random(seed ^ 0x5EED)
    width, height, supersample = dice.choice(DRAWN_SIZES)
    picture = as_decoded(render(scene, width, height, supersample=supersample), (WIDTH, HEIGHT), dice)
    return picture, draw_maps(scene), np.array(truth(scene).labels(), np.uint8)


def make_examples(first_seed: int, count: int, workers: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stacked examples of `count` consecutive seeds; the same for every number of workers."""
    pictures = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    maps = np.empty((count, HEIGHT // CELL, WIDTH // CELL), np.uint8)
    labels = np.empty((count, 3), np.uint8)
    with Pool(workers) as pool:
        made = pool.imap(make_example, range(first_seed, first_seed + count), chunksize=64)
        for place, (picture, cells, label) in enumerate(made):
            pictures[place], maps[place], labels[place] = picture, cells, label
    return pictures, maps, labels


def draw_maps(scene: Scene) -> np.ndarray:
    """The dense maps of a scene, one bit per name of `MAPS`."""
    rows, columns = HEIGHT // CELL, WIDTH // CELL
    layers = {name: Image.new("L", (columns, rows)) for name in MAPS}
    pens = {name: ImageDraw.Draw(layer) for name, layer in layers.items()}
    for zone in scene.zones:
        pens["zone"].polygon([(x * columns - 0.5, y * rows - 0.5) for x, y in zone.polygon], fill=1)
    for actor in scene.actors:
        left, top, right, bottom = actor.box
        pens[actor.kind].rectangle([left * columns, top * rows, right * columns - 1, bottom * rows - 1], fill=1)
        if actor.kind == "person":
            column, row = int(actor.foot[0] * columns), int(actor.foot[1] * rows)
            around_foot = [column - 1, row - 1, column + 1, row]
            pens["foot"].rectangle(around_foot, fill=1)
            if any(is_inside(actor.foot, zone.polygon) for zone in scene.zones):
                pens["person_in_zone"].rectangle(around_foot, fill=1)
    bits = [np.asarray(layers[name]) << place for place, name in enumerate(MAPS)]
    return np.bitwise_or.reduce(bits)
