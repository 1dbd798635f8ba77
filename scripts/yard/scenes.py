"""The yard: a small synthetic world that the project's own models learn and are tested on.

A `Scene` is plain data: a ground, some clutter, zones marked with coloured tape, persons and vehicles, and the
light. `sample_scene(seed)` invents one, `truth(scene)` says what is in it, and `render.render(scene, …)` draws it.
The same seed always gives the same scene.

Coordinates are fractions of the picture: x from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom). Sizes
(heights, lengths, tape widths) are fractions of the picture's *height*, so a shape keeps its proportions in a 16:9
picture. The camera looks down at the yard: what stands lower in the picture is nearer and larger.

A person or vehicle is *inside* a zone when its foot point (the middle of its lower edge, where it touches the ground)
is inside the zone's polygon. A person whose head covers the tape while the feet are outside is not inside.
`sample_scene` keeps every foot point at least `EDGE_MARGIN` away from every tape, because nearer than that nobody
could tell from the picture.
"""

import math
import random
from dataclasses import dataclass

ASPECT = 16 / 9
EDGE_MARGIN = 0.045  # in picture heights: 16 of 360 lines
MIN_LEVEL = 0.3  # nobody stands higher up in the picture than this

TAPE_COLOURS = {"yellow": (238, 206, 32), "red": (214, 40, 40), "blue": (42, 88, 222)}
GROUND_KINDS = ("asphalt", "concrete", "gravel", "grass")
CLUTTER_KINDS = ("crate", "barrel", "cone", "bush", "puddle", "marking", "pallet")
SKINS = ((238, 200, 170), (205, 155, 115), (150, 105, 75), (105, 70, 50))
PAINTS = (
    (225, 225, 222),
    (40, 42, 46),
    (150, 155, 160),
    (165, 35, 35),
    (40, 70, 130),
    (45, 95, 75),
    (215, 175, 60),
    (190, 185, 165),
    (60, 140, 190),
    (200, 100, 45),
)
HAIRS = ((35, 28, 24), (90, 60, 35), (190, 150, 80), (150, 150, 150), (235, 190, 20), (235, 235, 235))

Point = tuple[float, float]
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Ground:
    """What the yard is paved with; `wall_height` is 0 where no wall closes the yard at the top of the picture."""

    kind: str
    far: Rgb
    near: Rgb
    grain: float
    wall_height: float
    wall: Rgb
    texture_seed: int


@dataclass(frozen=True)
class Clutter:
    """A thing that is neither a person nor a vehicle nor a zone. `foot` is the middle of its lower edge."""

    kind: str
    foot: Point
    size: float
    colour: Rgb
    turn: float


@dataclass(frozen=True)
class Zone:
    """A piece of ground marked with tape. `dash` is the length of a stripe; 0: solid, not striped with black."""

    colour: str
    polygon: tuple[Point, ...]
    tape: Rgb
    tape_width: float
    dash: float


@dataclass(frozen=True)
class Actor:
    """A person or a vehicle, standing on its foot point.

    `colours` of a person: skin, hair or helmet, jacket, trousers. Of a vehicle: body. `facing` is -1 (left) or 1
    (right). `stride` is the phase of the walk in radians; None stands still. `shape` is "" for a person, for a vehicle
    "car", "van" or "truck".
    """

    kind: str
    foot: Point
    height: float
    colours: tuple[Rgb, ...]
    facing: int = 1
    stride: float | None = None
    shape: str = ""

    @property
    def length(self) -> float:
        """How wide the actor is, in picture heights."""
        return self.height * {"person": 0.42, "car": 2.45, "van": 1.9, "truck": 2.2}[self.shape or self.kind]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in fractions of the picture."""
        x, y = self.foot
        half = self.length / ASPECT / 2
        return x - half, y - self.height, x + half, y


@dataclass(frozen=True)
class Light:
    """What the camera makes of the scene: exposure, colour cast, blur (in picture heights), noise (in 8-bit steps)."""

    exposure: float
    cast: tuple[float, float, float]
    blur: float
    noise: float
    vignette: float


@dataclass(frozen=True)
class Scene:
    """One view of the yard."""

    seed: int
    ground: Ground
    clutter: tuple[Clutter, ...]
    zones: tuple[Zone, ...]
    actors: tuple[Actor, ...]
    light: Light


@dataclass(frozen=True)
class ZoneTruth:
    """How many foot points are inside one zone."""

    persons: int
    vehicles: int


@dataclass(frozen=True)
class Truth:
    """What can be said about a scene."""

    persons: int
    vehicles: int
    zones: dict[str, ZoneTruth]

    @property
    def person_in_zone(self) -> bool:
        """Is a person inside any zone?"""
        return any(zone.persons for zone in self.zones.values())

    def labels(self) -> tuple[bool, bool, bool]:
        """The classifier's labels, in the order of `LABELS`."""
        return self.persons > 0, self.vehicles > 0, self.person_in_zone


LABELS = ("person", "vehicle", "person_in_zone")


def truth(scene: Scene) -> Truth:
    """Counts the actors whose foot point is in the picture, and those inside each zone."""
    seen = [actor for actor in scene.actors if 0 <= actor.foot[0] <= 1]
    zones = {}
    for zone in scene.zones:
        inside = [actor for actor in seen if is_inside(actor.foot, zone.polygon)]
        zones[zone.colour] = ZoneTruth(_count("person", inside), _count("vehicle", inside))
    return Truth(_count("person", seen), _count("vehicle", seen), zones)


def _count(kind: str, actors: list[Actor]) -> int:
    return sum(actor.kind == kind for actor in actors)


def is_inside(point: Point, polygon: tuple[Point, ...]) -> bool:
    """Even-odd rule."""
    x, y = point
    inside = False
    for (ax, ay), (bx, by) in edges(polygon):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


def distance_to_edge(point: Point, polygon: tuple[Point, ...]) -> float:
    """Shortest distance from the point to the polygon's outline, in picture heights."""
    px, py = point[0] * ASPECT, point[1]
    nearest = math.inf
    for (ax, ay), (bx, by) in edges(polygon):
        ax, bx = ax * ASPECT, bx * ASPECT
        dx, dy = bx - ax, by - ay
        along = max(0.0, min(1.0, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy + 1e-12)))
        nearest = min(nearest, math.hypot(px - ax - along * dx, py - ay - along * dy))
    return nearest


def edges(polygon: tuple[Point, ...]):
    """Pairs of neighbouring corners, closing the outline."""
    return zip(polygon, polygon[1:] + polygon[:1], strict=True)


def person_height(level: float) -> float:
    """How tall a person looks whose feet are at height `level` of the picture (perspective)."""
    return 0.10 + 0.21 * level


# -- inventing scenes ---------------------------------------------------------------------------------------------


def sample_scene(seed: int) -> Scene:
    """Invents the scene of this seed: 63 % have a person, 60 % a vehicle, 34 % a person in a zone."""
    dice = random.Random(seed)
    ground = _sample_ground(dice)
    zones = _sample_zones(dice)
    clutter = tuple(_sample_clutter(dice) for _ in range(dice.choice((0, 1, 2, 3, 4, 6))))
    actors: list[Actor] = []
    for _ in range(dice.choice((0, 0, 0, 1, 1, 1, 2, 3))):
        _place(dice, actors, zones, _sample_person)
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        _place(dice, actors, zones, _sample_vehicle)
    clutter = tuple(item for item in clutter if not any(_covers_foot(item, actor) for actor in actors))
    return Scene(seed, ground, clutter, zones, tuple(actors), _sample_light(dice))


def _jitter(dice: random.Random, colour: Rgb, by: int) -> Rgb:
    return tuple(max(0, min(255, channel + dice.randint(-by, by))) for channel in colour)


def _brighter(colour: Rgb, by: int) -> Rgb:
    return tuple(max(0, min(255, channel + by)) for channel in colour)


def _any_colour(dice: random.Random) -> Rgb:
    return tuple(dice.randint(15, 240) for _ in range(3))


def _sample_ground(dice: random.Random) -> Ground:
    kind = dice.choice(GROUND_KINDS)
    base = {
        "asphalt": (88, 90, 94),
        "concrete": (158, 155, 148),
        "gravel": (140, 128, 108),
        "grass": (92, 120, 66),
    }[kind]
    near = _jitter(dice, _brighter(base, dice.randint(-30, 26)), 9)
    far = _jitter(dice, _brighter(near, dice.randint(-18, 30)), 5)
    wall_height = dice.choice((0.0, dice.uniform(0.08, 0.2)))
    wall = _jitter(dice, dice.choice(((150, 90, 70), (170, 165, 155), (95, 105, 115), (120, 110, 90))), 20)
    return Ground(kind, far, near, dice.uniform(2, 9), wall_height, wall, dice.getrandbits(32))


def _sample_light(dice: random.Random) -> Light:
    cast = tuple(dice.uniform(0.93, 1.07) for _ in range(3))
    blur = dice.choice((0.0, 0.0, dice.uniform(0.001, 0.004)))
    return Light(dice.uniform(0.6, 1.2), cast, blur, dice.uniform(0.5, 9), dice.uniform(0, 0.3))


def _sample_clutter(dice: random.Random) -> Clutter:
    kind = dice.choice(CLUTTER_KINDS)
    natural = {
        "crate": (150, 110, 65),
        "barrel": dice.choice(((60, 90, 150), (170, 60, 45), (70, 110, 70), (200, 170, 50))),
        "cone": (235, 105, 25),
        "bush": (55, 95, 45),
        "puddle": (105, 120, 135),
        "marking": (220, 220, 215),
        "pallet": (165, 135, 95),
    }[kind]
    foot = dice.uniform(0, 1), dice.uniform(MIN_LEVEL, 1.05)
    size = dice.uniform(0.3, 0.75) * person_height(foot[1])
    return Clutter(kind, foot, size, _jitter(dice, natural, 30), dice.uniform(-1, 1))


def _sample_zones(dice: random.Random) -> tuple[Zone, ...]:
    zones: list[Zone] = []
    for colour in dice.sample(list(TAPE_COLOURS), dice.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        for _ in range(12):
            polygon = _sample_polygon(dice)
            if all(_apart(polygon, zone.polygon) for zone in zones):
                dash = dice.choice((0.0, dice.uniform(0.03, 0.08)))
                tape = _jitter(dice, TAPE_COLOURS[colour], 18)
                zones.append(Zone(colour, polygon, tape, dice.uniform(0.014, 0.026), dash))
                break
    return tuple(zones)


def _sample_polygon(dice: random.Random) -> tuple[Point, ...]:
    """A rectangle on the ground as the camera sees it: the far side shorter, every corner a little off."""
    width, height = dice.uniform(0.22, 0.52), dice.uniform(0.22, 0.5)
    left, top = dice.uniform(0.03, 0.97 - width), dice.uniform(MIN_LEVEL, 0.96 - height)
    taper = dice.uniform(0, 0.14) * width
    lean = dice.uniform(-0.08, 0.08)
    corners = (
        (left + taper + lean, top),
        (left + width - taper + lean, top),
        (left + width, top + height),
        (left, top + height),
    )
    return tuple((_nudged(dice, x), _nudged(dice, y)) for x, y in corners)


def _nudged(dice: random.Random, coordinate: float) -> float:
    return max(0.02, min(0.98, coordinate + dice.uniform(-0.025, 0.025)))


def _bounds(polygon: tuple[Point, ...]) -> tuple[float, float, float, float]:
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _apart(one: tuple[Point, ...], other: tuple[Point, ...]) -> bool:
    a, b = _bounds(one), _bounds(other)
    gap = 0.02
    return a[2] + gap < b[0] or b[2] + gap < a[0] or a[3] + gap < b[1] or b[3] + gap < a[1]


def _sample_person(dice: random.Random, foot: Point) -> Actor:
    colours = (
        dice.choice(SKINS),
        dice.choice(HAIRS),
        dice.choice((_any_colour(dice), _any_colour(dice), _any_colour(dice), (240, 110, 30), (215, 225, 50))),
        dice.choice((_any_colour(dice), (45, 55, 85), (40, 40, 42))),
    )
    stride = dice.choice((None, dice.uniform(0, 2 * math.pi)))
    height = person_height(foot[1]) * dice.uniform(0.88, 1.12)
    return Actor("person", foot, height, colours, dice.choice((-1, 1)), stride)


def _sample_vehicle(dice: random.Random, foot: Point) -> Actor:
    shape = dice.choice(("car", "car", "van", "truck"))
    tall = {"car": 0.82, "van": 1.1, "truck": 1.2}[shape]
    height = person_height(foot[1]) * tall * dice.uniform(0.9, 1.1)
    paint = dice.choice(
        (_any_colour(dice), _jitter(dice, dice.choice(PAINTS), 20), _jitter(dice, dice.choice(PAINTS), 20))
    )
    return Actor("vehicle", foot, height, (paint,), dice.choice((-1, 1)), None, shape)


def _sample_foot(dice: random.Random, zones: tuple[Zone, ...]) -> Point:
    """Often in or just around a zone: that is where the question is hard."""
    if zones and dice.random() < 0.72:
        left, top, right, bottom = _bounds(dice.choice(zones).polygon)
        around = dice.choice((0.0, 0.0, 0.16))
        return dice.uniform(left - around, right + around), dice.uniform(top - around, bottom + around)
    return dice.uniform(0.005, 0.995), dice.uniform(MIN_LEVEL, 0.99)


def _place(dice: random.Random, actors: list[Actor], zones: tuple[Zone, ...], sample_actor) -> None:
    """Adds an actor where nothing is ambiguous; adds none when no such place turns up."""
    for _ in range(30):
        foot = _sample_foot(dice, zones)
        if not (0.005 <= foot[0] <= 0.995 and MIN_LEVEL <= foot[1] <= 0.99):
            continue
        actor = sample_actor(dice, foot)
        near_tape = any(distance_to_edge(foot, zone.polygon) < EDGE_MARGIN for zone in zones)
        if near_tape or any(_hides(actor, other) for other in actors):
            continue
        actors.append(actor)
        return


def _hides(one: Actor, other: Actor) -> bool:
    """Do the two overlap in the picture?"""
    a, b = one.box, other.box
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _covers_foot(item: Clutter, actor: Actor) -> bool:
    """Does the clutter stand in front of the place where the actor touches the ground?"""
    in_front = item.foot[1] >= actor.foot[1] and item.foot[1] - 1.2 * item.size <= actor.foot[1]
    beside = abs(item.foot[0] - actor.foot[0]) * ASPECT > (item.size * 1.2 + actor.length) / 2
    return in_front and not beside
