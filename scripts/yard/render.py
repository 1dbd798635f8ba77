"""Draws a `Scene` with PIL and numpy, at any size.

Everything is drawn `supersample` times larger and averaged down, so that edges are smooth; then comes the camera:
vignette, exposure, colour cast, blur and noise. The noise has a seed of its own (`noise_seed`), so that a clip can
have fresh noise in every frame of the same scene. Shapes are drawn back to front: ground, flat things, tape, then
everything that stands, the farthest first.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from scenes import ASPECT, Actor, Clutter, Ground, Light, Point, Rgb, Scene, Zone, edges

FLAT_CLUTTER = ("puddle", "marking", "pallet")
TAPE_BLACK = (28, 28, 28)
GLASS = (165, 195, 212)
HIP, SHOULDER = 0.46, 0.77  # of a person's height


def render(scene: Scene, width: int, height: int, noise_seed: int | None = None, supersample: int = 2) -> np.ndarray:
    """The scene as the camera sees it: u8 RGB [height, width, 3]. `noise_seed` defaults to the scene's own seed."""
    canvas = Canvas(scene.ground, width * supersample, height * supersample)
    for item in scene.clutter:
        if item.kind in FLAT_CLUTTER:
            draw_clutter(canvas, item)
    for zone in scene.zones:
        draw_tape(canvas, zone)
    standing = [item for item in scene.clutter if item.kind not in FLAT_CLUTTER] + list(scene.actors)
    for item in sorted(standing, key=lambda item: item.foot[1]):
        draw = {Clutter: draw_clutter, Actor: draw_actor}[type(item)]
        draw(canvas, item)
    picture = canvas.image.reduce(supersample) if supersample > 1 else canvas.image
    return expose(picture, scene.light, scene.seed if noise_seed is None else noise_seed)


class Canvas:
    """A picture under construction. Positions are fractions of the picture, sizes fractions of its height."""

    def __init__(self, ground: Ground, width: int, height: int):
        self.width, self.height = width, height
        self.image = paint_ground(ground, width, height)
        self.pen = ImageDraw.Draw(self.image)

    def at(self, foot: Point, right: float = 0.0, up: float = 0.0) -> tuple[float, float]:
        """The pixel that lies `right` and `up` (in picture heights) of a foot point."""
        sideways = self.width / ASPECT  # one picture height of the 16:9 world, in pixels of this canvas
        return foot[0] * self.width + right * sideways, (foot[1] - up) * self.height

    def box(self, foot: Point, left: float, bottom: float, right: float, top: float) -> list[float]:
        """The pixel rectangle between two corners given in picture heights from a foot point."""
        x0, y1 = self.at(foot, left, bottom)
        x1, y0 = self.at(foot, right, top)
        return [min(x0, x1), y0, max(x0, x1), max(y0, y1)]

    def outline(self, foot: Point, size: float, corners) -> list[tuple[float, float]]:
        """The pixels of corners given as (right, up) of a foot point, in units of `size`."""
        return [self.at(foot, right * size, up * size) for right, up in corners]

    def dot(self, centre: tuple[float, float], radius: float, colour: Rgb) -> None:
        """A disc around a pixel."""
        across, down = radius * self.width / ASPECT, radius * self.height
        x, y = centre
        self.pen.ellipse([x - across, y - down, x + across, y + down], fill=colour)

    def line(self, points, thickness: float, colour: Rgb) -> None:
        self.pen.line(points, fill=colour, width=max(1, round(thickness * self.height)), joint="curve")

    def shadow(self, foot: Point, half_length: float) -> None:
        """A soft dark ellipse on the ground."""
        left, top, right, bottom = self.box(
            foot, -half_length, -half_length * 0.22, half_length * 1.15, half_length * 0.22
        )
        region = tuple(
            int(edge) for edge in (max(0, left), max(0, top), min(self.width, right), min(self.height, bottom))
        )
        if region[0] >= region[2] or region[1] >= region[3]:
            return
        patch = self.image.crop(region)
        mask = Image.new("L", patch.size, 0)
        ImageDraw.Draw(mask).ellipse(
            [left - region[0], top - region[1], right - region[0], bottom - region[1]], fill=110
        )
        self.image.paste((20, 20, 24), region, mask)


def shade(colour: Rgb, factor: float) -> Rgb:
    """The colour, lighter (factor > 1) or darker."""
    return tuple(max(0, min(255, round(channel * factor))) for channel in colour)


# -- ground and camera --------------------------------------------------------------------------------------------


def paint_ground(ground: Ground, width: int, height: int) -> Image.Image:
    """A gradient from far to near with stains and grain, and the wall at the top."""
    dice = np.random.default_rng(ground.texture_seed)
    rows, columns = 90, 160
    blend = np.linspace(0, 1, rows)[:, None, None]
    base = np.array(ground.far) * (1 - blend) + np.array(ground.near) * blend
    stains = Image.fromarray(dice.normal(0, 1, (6, 9)).astype(np.float32)).resize((columns, rows), Image.BICUBIC)
    grain = dice.normal(0, 1, (rows, columns))
    coarse = 1.4 if ground.kind in ("gravel", "grass") else 0.7
    texture = np.asarray(stains) * 5 + grain * ground.grain * coarse
    pixels = np.clip(base + texture[..., None], 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.BILINEAR)
    pen = ImageDraw.Draw(image)
    if ground.kind == "concrete":
        paint_joints(pen, ground, width, height)
    if ground.wall_height:
        paint_wall(pen, ground, width, height)
    return image


def paint_joints(pen: ImageDraw.ImageDraw, ground: Ground, width: int, height: int) -> None:
    """The joints between concrete slabs, running towards a vanishing point above the picture."""
    colour = shade(ground.near, 0.86)
    thickness = max(1, height // 240)
    for level in (0.3, 0.4, 0.53, 0.7, 0.9):
        pen.line([(0, level * height), (width, level * height)], fill=colour, width=thickness)
    for step in range(-3, 4):
        top, bottom = 0.5 + step * 0.13, 0.5 + step * 0.26
        pen.line([(top * width, 0), (bottom * width, height)], fill=colour, width=thickness)


def paint_wall(pen: ImageDraw.ImageDraw, ground: Ground, width: int, height: int) -> None:
    """A wall with its coping and the shadow at its foot."""
    foot = ground.wall_height * height
    pen.rectangle([0, 0, width, foot], fill=ground.wall)
    for panel in range(1, 8):
        pen.line(
            [(panel * width / 8, 0), (panel * width / 8, foot)],
            fill=shade(ground.wall, 0.85),
            width=max(1, height // 240),
        )
    pen.rectangle([0, foot - 0.012 * height, width, foot], fill=shade(ground.wall, 0.7))
    pen.rectangle([0, foot, width, foot + 0.012 * height], fill=shade(ground.far, 0.65))


def expose(picture: Image.Image, light: Light, noise_seed: int) -> np.ndarray:
    """What the camera does to the light: blur, vignette, exposure, cast, noise, 8 bits."""
    if light.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(light.blur * picture.height))
    pixels = np.asarray(picture).astype(np.float32)
    height, width = pixels.shape[:2]
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    falloff = 1 - light.vignette * (across[None, :] ** 2 + down[:, None] ** 2) / 2
    pixels *= falloff[..., None] * (np.array(light.cast, dtype=np.float32) * light.exposure)
    noise = np.random.default_rng(noise_seed).standard_normal(pixels.shape, dtype=np.float32)
    return np.clip(pixels + noise * light.noise + 0.5, 0, 255).astype(np.uint8)


# -- things in the yard -------------------------------------------------------------------------------------------


def draw_tape(canvas: Canvas, zone: Zone) -> None:
    """The outline of a zone; striped tape alternates with black."""
    for start, end in edges(zone.polygon):
        (ax, ay), (bx, by) = canvas.at(start), canvas.at(end)
        length = math.hypot(bx - ax, by - ay) / canvas.height
        stripes = max(1, round(length / zone.dash)) if zone.dash else 1
        for stripe in range(stripes):
            begin, finish = stripe / stripes, (stripe + 1) / stripes
            piece = [(ax + (bx - ax) * part, ay + (by - ay) * part) for part in (begin, finish)]
            canvas.line(piece, zone.tape_width, TAPE_BLACK if stripe % 2 else zone.tape)
    for corner in zone.polygon:
        radius = zone.tape_width / 2
        canvas.pen.ellipse(canvas.box(corner, -radius, -radius, radius, radius), fill=zone.tape)


def draw_clutter(canvas: Canvas, item: Clutter) -> None:
    """One piece of clutter, by its kind."""
    if item.kind not in FLAT_CLUTTER:
        canvas.shadow(item.foot, item.size * 0.6)
    draw = {
        "crate": draw_crate,
        "barrel": draw_barrel,
        "cone": draw_cone,
        "bush": draw_bush,
        "puddle": draw_puddle,
        "marking": draw_marking,
        "pallet": draw_pallet,
    }[item.kind]
    draw(canvas, item.foot, item.size, item.colour, item.turn)


def draw_crate(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    dark = shade(colour, 0.7)
    canvas.pen.rectangle(canvas.box(foot, -size / 2, 0, size / 2, size * 0.7), fill=colour, outline=dark)
    lid = ((-0.5, 0.7), (-0.38, 1.0), (0.38, 1.0), (0.5, 0.7))
    canvas.pen.polygon(canvas.outline(foot, size, lid), fill=shade(colour, 1.2))
    canvas.line(canvas.outline(foot, size, ((-0.5, 0), (0.5, 0.7))), size * 0.07, dark)


def draw_barrel(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    half = size * 0.3
    canvas.pen.rectangle(canvas.box(foot, -half, size * 0.06, half, size), fill=colour)
    canvas.pen.ellipse(canvas.box(foot, -half, -size * 0.05, half, size * 0.17), fill=colour)
    canvas.pen.ellipse(canvas.box(foot, -half, size * 0.9, half, size * 1.1), fill=shade(colour, 1.2))
    for ring in (0.38, 0.68):
        canvas.line(canvas.outline(foot, size, ((-0.3, ring), (0.3, ring))), size * 0.05, shade(colour, 0.7))


def draw_cone(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    canvas.pen.rectangle(canvas.box(foot, -size * 0.3, 0, size * 0.3, size * 0.08), fill=shade(colour, 0.7))
    canvas.pen.polygon(canvas.outline(foot, size, ((-0.22, 0.06), (0, 0.8), (0.22, 0.06))), fill=colour)
    canvas.line(canvas.outline(foot, size, ((-0.12, 0.36), (0.12, 0.36))), size * 0.12, (235, 235, 235))


def draw_bush(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    for right, up, radius, tone in ((-0.35, 0.28, 0.3, 0.9), (0.35, 0.25, 0.28, 0.9), (0, 0.42, 0.38, 1.15)):
        left, low = (right - radius) * size, (up - radius) * size
        around = canvas.box(foot, left, low, (right + radius) * size, (up + radius) * size)
        canvas.pen.ellipse(around, fill=shade(colour, tone))


def draw_puddle(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    canvas.pen.ellipse(canvas.box(foot, -size, -size * 0.3, size, size * 0.3), fill=colour)
    canvas.pen.ellipse(canvas.box(foot, -size * 0.6, 0, size * 0.5, size * 0.2), fill=shade(colour, 1.12))


def draw_marking(canvas: Canvas, foot: Point, size: float, colour: Rgb, turn: float) -> None:
    """A worn painted line, in any direction."""
    ends = ((-1.6 * turn, -0.64), (1.6 * turn, 0.64))
    canvas.line(canvas.outline(foot, size, ends), size * 0.1, colour)


def draw_pallet(canvas: Canvas, foot: Point, size: float, colour: Rgb, _turn: float) -> None:
    deck = ((-0.8, -0.2), (-0.6, 0.3), (0.8, 0.3), (0.7, -0.2))
    canvas.pen.polygon(canvas.outline(foot, size, deck), fill=shade(colour, 0.7))
    for slat in range(4):
        up = -0.15 + slat * 0.13
        canvas.line(canvas.outline(foot, size, ((-0.75, up), (0.72, up))), size * 0.07, colour)


def draw_actor(canvas: Canvas, actor: Actor) -> None:
    canvas.shadow(actor.foot, actor.length * (0.75 if actor.kind == "person" else 0.52))
    if actor.kind == "person":
        draw_person(canvas, actor)
    else:
        draw_vehicle(canvas, actor)


def draw_person(canvas: Canvas, actor: Actor) -> None:
    """Far arm, legs, trunk, near arm, head; legs and arms swing with `stride`."""
    for side, tone in ((-1, 0.78), (1, 1.0)):
        draw_leg(canvas, actor, side, tone)
    draw_arm(canvas, actor, -1, 0.75)
    tall, jacket = actor.height, actor.colours[2]
    half = tall * (0.165 if actor.stride is None else 0.135)
    radius = max(1, round(0.06 * tall * canvas.height))
    trunk = canvas.box(actor.foot, -half, HIP * tall * 0.95, half, (SHOULDER + 0.04) * tall)
    canvas.pen.rounded_rectangle(trunk, radius=radius, fill=jacket)
    draw_arm(canvas, actor, 1, 0.88)
    draw_head(canvas, actor)


def swing_of(actor: Actor) -> float:
    """How far the feet are apart in the walk, signed, in picture heights."""
    return 0.0 if actor.stride is None else math.sin(actor.stride) * 0.14 * actor.height


def draw_leg(canvas: Canvas, actor: Actor, side: int, tone: float) -> None:
    """The foot that swings forward is lifted, the other one stays on the ground."""
    foot, tall, ahead = actor.foot, actor.height, actor.facing
    stance, lift = 0.05 * tall, 0.0
    if actor.stride is not None:
        stance = 0.015 * tall
        lift = 0.03 * tall * max(0.0, -side * math.cos(actor.stride))
    step = side * swing_of(actor) * ahead + side * stance
    hip = canvas.at(foot, side * stance * 0.6, HIP * tall)
    knee = canvas.at(foot, step * 0.6 + 0.02 * tall * ahead, HIP * tall * 0.5 + lift)
    ankle = canvas.at(foot, step, 0.03 * tall + lift)
    canvas.line([hip, knee, ankle], tall * 0.115, shade(actor.colours[3], tone))
    toe = step + 0.03 * tall * ahead
    canvas.pen.ellipse(
        canvas.box(foot, toe - 0.06 * tall, lift, toe + 0.06 * tall, 0.055 * tall + lift), fill=(30, 28, 28)
    )


def draw_arm(canvas: Canvas, actor: Actor, side: int, tone: float) -> None:
    """Arms swing against the legs."""
    foot, tall = actor.foot, actor.height
    skin, _, jacket, _ = actor.colours
    reach = -side * swing_of(actor) * actor.facing * 0.9
    out = side * (0.17 if actor.stride is None else 0.09) * tall
    shoulder = canvas.at(foot, out * 0.8, (SHOULDER - 0.04) * tall)
    elbow = canvas.at(foot, out * 1.1 + reach * 0.4, HIP * tall * 1.35)
    hand = canvas.at(foot, out * 1.1 + reach, HIP * tall * 0.98)
    canvas.line([shoulder, elbow, hand], tall * 0.08, shade(jacket, tone))
    canvas.dot(hand, tall * 0.035, skin)


def draw_head(canvas: Canvas, actor: Actor) -> None:
    """Neck, hair (or a helmet), and the face turned to where the person is going."""
    foot, tall, pen = actor.foot, actor.height, canvas.pen
    skin, hair, _, _ = actor.colours
    head, middle = 0.088 * tall, 0.905 * tall
    turned = head * 0.3 * actor.facing
    pen.rectangle(canvas.box(foot, -0.035 * tall, SHOULDER * tall, 0.035 * tall, middle), fill=shade(skin, 0.85))
    pen.ellipse(canvas.box(foot, -head, middle - head, head, middle + head), fill=hair)
    face = canvas.box(foot, turned - head * 0.75, middle - head * 0.95, turned + head * 0.75, middle + head * 0.45)
    pen.ellipse(face, fill=skin)


def draw_vehicle(canvas: Canvas, actor: Actor) -> None:
    """A car, van or truck from the side, driving towards `facing`."""
    tall, half, body = actor.height, actor.length / 2, actor.colours[0]
    wheel = tall * {"car": 0.24, "van": 0.18, "truck": 0.17}[actor.shape]
    sill = wheel * 0.75 / tall

    def outline(*corners: Point) -> list[tuple[float, float]]:
        """Corners as (along the vehicle from -1 at its tail to 1 at its front, up from 0 to 1)."""
        return [canvas.at(actor.foot, along * half * actor.facing, up * tall) for along, up in corners]

    draw_body = {"car": draw_car_body, "van": draw_van_body, "truck": draw_truck_body}[actor.shape]
    draw_body(canvas, actor, outline, sill)
    canvas.line(outline((-0.97, sill + 0.05), (0.97, sill + 0.05)), tall * 0.05, shade(body, 0.7))
    (x0, y0), (x1, y1) = outline((0.93, 0.44), (0.99, 0.36))
    canvas.pen.rectangle([min(x0, x1), y0, max(x0, x1), y1], fill=(250, 240, 190))
    for axle in (-0.6, 0.6):
        for size, colour in ((1.0, (22, 22, 24)), (0.5, (150, 150, 155))):
            reach = wheel * size
            around = canvas.box(actor.foot, axle * half - reach, wheel - reach, axle * half + reach, wheel + reach)
            canvas.pen.ellipse(around, fill=colour)


def draw_car_body(canvas: Canvas, actor: Actor, outline, sill: float) -> None:
    pen, tall, half, body = canvas.pen, actor.height, actor.length / 2, actor.colours[0]
    radius = max(1, round(0.08 * tall * canvas.height))
    pen.rounded_rectangle(canvas.box(actor.foot, -half, sill * tall, half, tall * 0.62), radius=radius, fill=body)
    pen.polygon(outline((-0.72, 0.58), (-0.5, 1.0), (0.22, 1.0), (0.5, 0.58)), fill=shade(body, 0.92))
    pen.polygon(outline((-0.6, 0.62), (-0.44, 0.93), (-0.15, 0.93), (-0.15, 0.62)), fill=GLASS)
    pen.polygon(outline((-0.08, 0.62), (-0.08, 0.93), (0.18, 0.93), (0.38, 0.62)), fill=GLASS)


def draw_van_body(canvas: Canvas, actor: Actor, outline, sill: float) -> None:
    pen, tall, body = canvas.pen, actor.height, actor.colours[0]
    pen.polygon(outline((-1.0, sill), (-1.0, 1.0), (0.55, 1.0), (0.82, 0.58), (1.0, 0.52), (1.0, sill)), fill=body)
    pen.polygon(outline((0.3, 0.58), (0.3, 0.9), (0.52, 0.9), (0.74, 0.58)), fill=GLASS)
    canvas.line(outline((0.2, 0.2), (0.2, 0.92)), tall * 0.015, shade(body, 0.75))


def draw_truck_body(canvas: Canvas, actor: Actor, outline, _sill: float) -> None:
    pen, tall, body = canvas.pen, actor.height, actor.colours[0]
    pen.polygon(outline((-1.0, 0.24), (-1.0, 1.0), (0.42, 1.0), (0.42, 0.24)), fill=shade(body, 0.9))
    for seam in (-0.65, -0.3, 0.05):
        canvas.line(outline((seam, 0.28), (seam, 0.96)), tall * 0.015, shade(body, 0.75))
    pen.polygon(outline((0.48, 0.14), (0.48, 0.82), (0.85, 0.82), (1.0, 0.45), (1.0, 0.14)), fill=shade(body, 1.15))
    pen.polygon(outline((0.62, 0.48), (0.62, 0.75), (0.82, 0.75), (0.93, 0.48)), fill=GLASS)
    canvas.line(outline((-1.0, 0.2), (0.5, 0.2)), tall * 0.07, (45, 45, 48))
