"""Writes a contact sheet of scenes, to look at: `python scripts/yard/contact_sheet.py sheet.png [first_seed]`."""

import sys

from PIL import Image

from render import render
from scenes import sample_scene

COLUMNS, ROWS, WIDTH, HEIGHT = 4, 6, 320, 180


def main() -> None:
    path = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    sheet = Image.new("RGB", (WIDTH * COLUMNS, HEIGHT * ROWS))
    for place in range(COLUMNS * ROWS):
        picture = render(sample_scene(first + place), WIDTH, HEIGHT)
        sheet.paste(Image.fromarray(picture), (place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT))
    sheet.save(path)


if __name__ == "__main__":
    main()
