#!/usr/bin/env python3
"""Prints the numbers of src/picture/filter/tests.rs: one small scene, scaled by OpenCV and by Pillow.

    python3 -m venv v && v/bin/pip install numpy pillow opencv-python-headless && v/bin/python scripts/filters_golden.py
"""

import cv2
import numpy as np
from PIL import Image

SIZES = [((67, 45), (5, 4)), ((20, 7), (3, 9))]


def scene(width, height):
    """Blocks of 7 x 3 pixels, each sample of them a multiplicative hash of its number."""
    y, x, channel = np.indices((height, width, 3)).astype(np.uint64)
    number = (y // 3 * 16 + x // 7) * 3 + channel
    return (number * 2654435761 % 2**32 >> 24).astype(np.uint8)


for given, wanted in SIZES:
    picture = scene(*given)
    scaled = {"BILINEAR": cv2.resize(picture, wanted, interpolation=cv2.INTER_LINEAR)}
    for name in ["BICUBIC", "LANCZOS"]:
        scaled[name] = np.asarray(Image.fromarray(picture).resize(wanted, getattr(Image, name)))
    for name, samples in scaled.items():
        print(name, given, wanted, samples.ravel().tolist())
