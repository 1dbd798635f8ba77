"""What happens to a picture between the camera's sensor and the model: video compression, YUV, scaling.

At run time the picture comes out of an H.264 decoder as limited-range Y, U and V planes (U and V at half the
resolution), and every plane is scaled on its own to the model's size. A model that is trained on clean RGB never saw
any of that. `as_decoded` imitates it with random strengths and random scaling filters, so that the model doesn't
depend on one of them. JPEG stands in for H.264: the same 4:2:0 sampling, the same kind of block artefacts.
"""

import io
import random

import numpy as np
from PIL import Image

LUMA_TO_LIMITED = [round(16 + level * 219 / 255) for level in range(256)]
LUMA_TO_FULL = [max(0, min(255, round((level - 16) * 255 / 219))) for level in range(256)]
CHROMA_TO_LIMITED = [round(128 + (level - 128) * 224 / 255) for level in range(256)]
CHROMA_TO_FULL = [max(0, min(255, round(128 + (level - 128) * 255 / 224))) for level in range(256)]
FILTERS = ("area", "smooth", "bilinear")


def as_decoded(picture: np.ndarray, size: tuple[int, int], dice: random.Random) -> np.ndarray:
    """The picture (u8 RGB, any size) as a model of this size (width, height) would get it from a video stream."""
    image = Image.fromarray(picture)
    if dice.random() < 0.8:
        image = compressed(image, dice.randint(25, 95))
    return scale_planes(image, size, dice.choice(FILTERS))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """The image after 4:2:0 JPEG compression."""
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality, subsampling="4:2:0")
    return Image.open(packed).convert("RGB")


def scale_planes(image: Image.Image, size: tuple[int, int], how: str) -> np.ndarray:
    """Through limited-range 4:2:0 YUV to `size`, every plane scaled on its own: u8 RGB [height, width, 3]."""
    luma, blue, red = image.convert("YCbCr").split()
    luma = scale(luma.point(LUMA_TO_LIMITED), size, how).point(LUMA_TO_FULL)
    chroma = [scale(plane.reduce(2).point(CHROMA_TO_LIMITED), size, how).point(CHROMA_TO_FULL) for plane in (blue, red)]
    return np.asarray(Image.merge("YCbCr", (luma, *chroma)).convert("RGB"))


def scale(plane: Image.Image, size: tuple[int, int], how: str) -> Image.Image:
    """`area` averages, `smooth` is bilinear with antialiasing, `bilinear` looks at four pixels only (and aliases)."""
    if how == "area":
        return plane.resize(size, Image.BOX)
    if how == "smooth":
        return plane.resize(size, Image.BILINEAR)
    across, down = plane.width / size[0], plane.height / size[1]
    return plane.transform(size, Image.AFFINE, (across, 0, 0, 0, down, 0), Image.BILINEAR)
