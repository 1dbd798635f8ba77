"""What is asked about the yard: phrasings, true answers, and questions that no picture of the yard can answer.

`ask(truth, dice)` puts one question of a random kind to a scene, about as often with a yes as with a no. A condition
that isn't a question ("Alert if a person enters the red zone") is wrapped as the daemon wraps it: `Is this true: …?`.
`ask_unjudgeable(dice)` asks about things that the yard doesn't have or the model isn't taught; the answer to all of
these is "I can't tell.", which is neither a yes nor a no, so the daemon abstains. Nouns of `UNSEEN_NOUNS` and
`UNSEEN_SENTENCES` are never trained on: they measure whether that carries over.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from scenes import TAPE_COLOURS, Truth

COLOURS = tuple(TAPE_COLOURS)
CANNOT_TELL = "I can't tell."
NUMBERS = ("No", "One", "Two", "Three", "Four")

# How often each kind is asked; zones, the hard part, most of all.
KINDS = {
    "person": 2,
    "vehicle": 2,
    "person_in_zone": 8,
    "vehicle_in_zone": 4,
    "person_in_any_zone": 2,
    "nobody_in_zone": 1,
    "zone_exists": 2,
    "zone_empty": 3,
    "several_persons": 3,
    "no_person": 1,
}

SLOTS = {
    "person": ("a person", "a person", "a person", "anyone", "anybody", "someone", "somebody", "a human"),
    "people": ("people", "persons", "any people", "any persons"),
    "vehicle": ("a vehicle", "a vehicle", "a vehicle", "any vehicle"),
    "vehicles": ("vehicles", "any vehicles"),
    "in": ("inside", "inside", "in", "within"),
    "zone": (
        "the {colour} zone",
        "the {colour} zone",
        "the zone marked with {colour} tape",
        "the zone marked with {colour} tape",
        "the area marked with {colour} tape",
        "the {colour} area",
        "the {colour} taped zone",
        "the {colour} taped area",
        "the zone with {colour} tape",
        "the zone with the {colour} tape",
        "the {colour} tape",
    ),
    "any zone": (
        "a zone",
        "any zone",
        "a marked zone",
        "a taped zone",
        "a marked area",
        "one of the zones",
        "the tape",
    ),
    "here": ("", "", "", " in the picture", " in the image", " in the frame", " in the yard", " on the camera"),
    "alert": (
        "Alert if",
        "Alert if",
        "Alert when",
        "Alert me if",
        "Notify me when",
        "Notify me if",
        "Warn if",
        "Tell me if",
    ),
}

QUESTIONS = {
    "person": (
        "Is there {person}{here}?",
        "Is there {person}{here}?",
        "Is {person} visible{here}?",
        "Can you see {person}{here}?",
        "Do you see {person}{here}?",
        "Is {person} present?",
        "Is {person} there?",
        "Are there {people}{here}?",
        "Does the picture show {person}?",
    ),
    "vehicle": (
        "Is there {vehicle}{here}?",
        "Is there {vehicle}{here}?",
        "Is {vehicle} visible{here}?",
        "Can you see {vehicle}{here}?",
        "Do you see {vehicle}{here}?",
        "Is {vehicle} present?",
        "Are there {vehicles}{here}?",
        "Does the picture show {vehicle}?",
    ),
    "person_in_zone": (
        "Is there {person} {in} {zone}?",
        "Is there {person} {in} {zone}?",
        "Is {person} {in} {zone}?",
        "Is {person} {in} {zone}?",
        "Is {person} standing {in} {zone}?",
        "Is {person} currently {in} {zone}?",
        "Can you see {person} {in} {zone}?",
        "Do you see {person} {in} {zone}?",
        "Are there {people} {in} {zone}?",
        "Has {person} entered {zone}?",
        "Is {zone} occupied by a person?",
    ),
    "vehicle_in_zone": (
        "Is there {vehicle} {in} {zone}?",
        "Is there {vehicle} {in} {zone}?",
        "Is {vehicle} {in} {zone}?",
        "Is {vehicle} parked {in} {zone}?",
        "Is {vehicle} standing {in} {zone}?",
        "Can you see {vehicle} {in} {zone}?",
        "Are there {vehicles} {in} {zone}?",
        "Has {vehicle} entered {zone}?",
        "Is {zone} occupied by a vehicle?",
    ),
    "person_in_any_zone": (
        "Is there {person} {in} {any zone}?",
        "Is {person} {in} {any zone}?",
        "Is {person} standing {in} {any zone}?",
        "Has {person} entered {any zone}?",
    ),
    "nobody_in_zone": (
        "Is nobody {in} {zone}?",
        "Is no one {in} {zone}?",
        "Is {zone} free of people?",
        "Is {zone} without a person?",
    ),
    "zone_exists": (
        "Is there a {colour} zone{here}?",
        "Is there a zone marked with {colour} tape{here}?",
        "Is there an area marked with {colour} tape?",
        "Is a {colour} zone visible{here}?",
        "Can you see a {colour} zone?",
        "Is there {colour} tape{here}?",
    ),
    "zone_empty": (
        "Is {zone} empty?",
        "Is {zone} empty?",
        "Is {zone} clear?",
        "Is {zone} free?",
        "Is nothing {in} {zone}?",
    ),
    "several_persons": (
        "Is there more than one person{here}?",
        "Are there two or more people{here}?",
        "Are there at least two people{here}?",
        "Are there several people{here}?",
        "Can you see more than one person{here}?",
        "Is more than one person visible{here}?",
    ),
    "no_person": (
        "Is there no person{here}?",
        "Is nobody there?",
        "Is nobody visible{here}?",
        "Is no one{here}?",
        "Are there no people{here}?",
    ),
}

STATEMENTS = {
    "person": (
        "{Person} is visible{here}",
        "There is {person}{here}",
        "{Person} is present",
        "{alert} {person} is visible{here}",
        "{alert} {person} appears{here}",
        "{alert} there is {person}{here}",
        "{alert} you see {person}{here}",
    ),
    "vehicle": (
        "{Vehicle} is visible{here}",
        "There is {vehicle}{here}",
        "{alert} {vehicle} is visible{here}",
        "{alert} {vehicle} appears{here}",
        "{alert} there is {vehicle}{here}",
    ),
    "person_in_zone": (
        "{Person} is {in} {zone}",
        "{Person} is {in} {zone}",
        "There is {person} {in} {zone}",
        "{Person} is standing {in} {zone}",
        "{Person} has entered {zone}",
        "{alert} {person} enters {zone}",
        "{alert} any person enters {zone}",
        "{alert} {person} is {in} {zone}",
        "{alert} any person is {in} {zone}",
        "{alert} {person} walks into {zone}",
        "{alert} there is {person} {in} {zone}",
    ),
    "vehicle_in_zone": (
        "{Vehicle} is {in} {zone}",
        "There is {vehicle} {in} {zone}",
        "{Vehicle} has entered {zone}",
        "{alert} {vehicle} enters {zone}",
        "{alert} {vehicle} is {in} {zone}",
        "{alert} {vehicle} is parked {in} {zone}",
    ),
    "person_in_any_zone": (
        "{Person} is {in} {any zone}",
        "{alert} {person} enters {any zone}",
        "{alert} {person} is {in} {any zone}",
    ),
    "nobody_in_zone": (
        "Nobody is {in} {zone}",
        "No one is {in} {zone}",
        "There is no person {in} {zone}",
        "{alert} nobody is {in} {zone}",
    ),
    "zone_exists": (
        "There is a {colour} zone{here}",
        "A zone is marked with {colour} tape",
    ),
    "zone_empty": (
        "{Zone} is empty",
        "{Zone} is clear",
        "{alert} {zone} is empty",
        "Nothing is {in} {zone}",
    ),
    "several_persons": (
        "There is more than one person{here}",
        "There are at least two people{here}",
        "{alert} there is more than one person{here}",
        "More than one person is visible{here}",
    ),
    "no_person": (
        "Nobody is visible{here}",
        "There is no person{here}",
        "There is nobody{here}",
        "{alert} nobody is visible{here}",
    ),
}


def _words(text: str) -> tuple[str, ...]:
    """Words parted by commas."""
    return tuple(word.strip() for word in text.split(","))


NOUNS = _words("""
    dog, cat, fire, flame, smoke, helmet, bird, horse, cow, bicycle, bike, motorcycle, train, boat, plane,
    aeroplane, drone, gun, knife, weapon, rifle, bag, backpack, suitcase, package, parcel, box, ladder, tree,
    flower, river, lake, flood, snow, ice, rainbow, cloud, sun, moon, star, house, door, window, gate, fence, roof,
    chimney, lamp, light, sign, traffic light, stop sign, bench, chair, table, sofa, bed, phone, laptop, computer,
    screen, camera, keyboard, book, newspaper, bottle, cup, glass, plate, fork, spoon, pizza, apple, banana,
    orange, cake, sandwich, hat, cap, shoe, boot, glove, mask, vest, jacket, coat, umbrella, tie, dress, shirt,
    ball, kite, skateboard, surfboard, guitar, piano, robot, machine, crane, tractor, bus, tram, taxi, ambulance,
    police car, fire engine, trailer, container, forklift, excavator, wheelchair, stroller, baby, child, boy, girl,
    man, woman, car, van, truck, lorry, fox, rat, mouse, snake, spider, insect, bee, fish, duck, goose, chicken,
    pig, goat, deer, bear, elephant, lion, tiger, monkey, crack, hole, leak, oil spill, spill, rust, rubbish,
    litter, trash, bin, pipe, cable, wire, valve, tank, pump, engine, wheel, tyre, mirror, clock, flag, balloon,
    candle, toy, doll, statue, bridge, tower, road, kerb, pavement, stairs, lift, pool, pond, garden
""")
UNSEEN_NOUNS = _words("""
    sheep, wolf, rabbit, squirrel, parrot, penguin, camel, frog, explosion, steam, lightning, hammer, drill,
    shovel, rope, scaffold, helicopter, rocket, submarine, scooter, caravan, tent, antenna, satellite, wallet, key,
    purse, necklace, scarf, glasses, trousers, burger, coffee, bread, cheese, violin, trumpet, microphone,
    television, fridge, oven, toilet, bathtub, curtain, carpet, mountain, desert, volcano, beach, waterfall,
    cactus, mushroom, skeleton, ghost, clown, soldier, nurse
""")
UNKNOWN_COLOURS = ("green", "orange", "white", "black", "purple", "grey", "brown")
UNSEEN_COLOURS = ("pink", "turquoise", "silver")
NOUN_FRAMES = (
    "Is there {noun}{here}?",
    "Is there {noun}{here}?",
    "Is there {noun}{here}?",
    "Can you see {noun}{here}?",
    "Do you see {noun}?",
    "Is {noun} visible{here}?",
    "Is {noun} {in} {zone}?",
    "Is there {noun} {in} {zone}?",
    "Has {noun} entered {zone}?",
    "Is the person wearing {noun}?",
    "Is the person holding {noun}?",
    "Is a person carrying {noun}?",
    "Is a person near {noun}?",
    "Is the vehicle next to {noun}?",
    "Are there any {bare}s{here}?",
    "Is the {bare} {state}?",
    "Is this true: {Noun} is visible?",
    "Is this true: There is {noun}{here}?",
    "Is this true: {alert} {noun} appears{here}?",
    "Is this true: {alert} you see {noun}?",
    "Is this true: {Noun} is {in} {zone}?",
    "Is this true: {alert} {noun} enters {zone}?",
    "Is this true: {alert} a person carries {noun}?",
)
COLOUR_FRAMES = (
    "Is there {person} {in} {zone}?",
    "Is {person} {in} {zone}?",
    "Is there {vehicle} {in} {zone}?",
    "Is {zone} empty?",
    "Is there a {colour} zone{here}?",
    "Is this true: {Person} is {in} {zone}?",
    "Is this true: {alert} {person} enters {zone}?",
)
STATES = (
    "open",
    "closed",
    "broken",
    "on",
    "off",
    "full",
    "empty",
    "wet",
    "dirty",
    "locked",
    "moving",
    "missing",
    "red",
)
SENTENCES = (
    "Is it raining?",
    "Is it snowing?",
    "Is it night?",
    "Is it day?",
    "Is it dark?",
    "Is it foggy?",
    "Is it sunny?",
    "Is it cold?",
    "Is the sun shining?",
    "Is the person running?",
    "Is the person sitting?",
    "Is the person happy?",
    "Is the person a man?",
    "Is the person a woman?",
    "Is the person lying on the ground?",
    "Is someone falling?",
    "Is anyone smoking?",
    "Is anyone fighting?",
    "Is someone sleeping?",
    "Is the vehicle red?",
    "Is the vehicle moving?",
    "Is the vehicle a truck?",
    "Is the vehicle damaged?",
    "Is the person wearing a helmet?",
    "Is the person wearing a yellow jacket?",
    "Is the ground wet?",
    "Is the floor clean?",
    "Is the camera working?",
    "Is the picture blurred?",
    "What colour is the vehicle?",
    "What is in the picture?",
    "What time is it?",
    "What is the person doing?",
    "How many people are there?",
    "How are you?",
    "Where is the person?",
    "Who is there?",
    "Why is the zone empty?",
    "Describe the picture.",
    "Hello",
    "Is this safe?",
    "Is everything fine?",
    "Is this true: It is raining?",
    "Is this true: The ground is wet?",
    "Is this true: Alert if it rains?",
    "Is this true: The person is wearing a helmet?",
    "Is this true: Alert if someone falls?",
    "Is this true: The picture is dark?",
)
UNSEEN_SENTENCES = (
    "Is it windy?",
    "Is it stormy?",
    "Is the sky blue?",
    "Is the person jumping?",
    "Is the person tired?",
    "Is anyone dancing?",
    "Is someone drinking?",
    "Is the vehicle green?",
    "Is the vehicle locked?",
    "Is the person wearing glasses?",
    "Is the grass tall?",
    "When was this taken?",
    "What is the weather?",
    "How old is the person?",
    "Is this true: It is snowing?",
    "Is this true: Alert if someone is fighting?",
)


@dataclass(frozen=True)
class Asked:
    """A question with its true answer. `yes` is None where the picture doesn't tell."""

    kind: str
    text: str
    yes: bool | None
    answer: str


def ask(truth: Truth, dice: random.Random) -> Asked:
    """A judgeable question about this scene; which kind and colour is chosen so that yes and no are about as frequent."""
    wanted = dice.random() < 0.5
    for attempt in range(16):
        if attempt % 4 == 0:
            kind = dice.choices(tuple(KINDS), KINDS.values())[0]
        colour = dice.choice(tuple(truth.zones) if truth.zones and dice.random() < 0.8 else COLOURS)
        yes, reason = answer(kind, colour, truth)
        if yes == wanted:
            break
    return Asked(kind, phrase(kind, colour, dice), yes, f"{'Yes' if yes else 'No'}. {reason}")


def ask_unjudgeable(dice: random.Random, unseen: bool = False) -> Asked:
    """A question that the yard's pictures don't answer; with `unseen`, in words that training never uses."""
    subject = dice.random()
    if subject < 0.15:
        text = dice.choice(UNSEEN_SENTENCES if unseen else SENTENCES)
    elif subject < 0.3:
        colour = dice.choice(UNSEEN_COLOURS) if unseen else _noun_or_nonsense(dice, UNKNOWN_COLOURS, 0.3)
        text = fill(dice.choice(COLOUR_FRAMES), dice, colour=colour)
    else:
        noun = dice.choice(UNSEEN_NOUNS) if unseen else _noun_or_nonsense(dice, NOUNS, 0.5)
        article = "an" if noun[0] in "aeiou" else "a"
        named = noun if dice.random() < 0.2 else f"{article} {noun}"
        slots = {"noun": named, "bare": noun, "state": dice.choice(STATES), "colour": dice.choice(COLOURS)}
        text = fill(dice.choice(NOUN_FRAMES), dice, **slots)
    return Asked("unjudgeable", roughened(text, dice), None, CANNOT_TELL)


def _noun_or_nonsense(dice: random.Random, words: tuple[str, ...], share: float) -> str:
    """A word of the list, or one that doesn't exist: so that every unknown word means "I can't tell"."""
    if dice.random() >= share:
        return dice.choice(words)
    syllables = (_syllable(dice) for _ in range(dice.randint(1, 3)))
    ending = dice.choice(("", "", "n", "r", "st", "ck", "t", "m", "ng", "l"))
    return "".join(syllables) + ending


def _syllable(dice: random.Random) -> str:
    return dice.choice("bcdfghjklmnprstvwz") + dice.choice(("", "l", "r")) + dice.choice("aeiou")


def answer(kind: str, colour: str, truth: Truth) -> tuple[bool, str]:
    """Yes or no, and why; `colour` is ignored by the kinds that aren't about one zone."""
    return ANSWERS[kind](colour, truth)


def _visible(count: int, one: str, many: str) -> str:
    return f"One {one} is visible." if count == 1 else f"{NUMBERS[count]} {many} are visible."


def _person(_colour: str, truth: Truth) -> tuple[bool, str]:
    return (True, _visible(truth.persons, "person", "people")) if truth.persons else (False, "There is no person.")


def _vehicle(_colour: str, truth: Truth) -> tuple[bool, str]:
    return (
        (True, _visible(truth.vehicles, "vehicle", "vehicles")) if truth.vehicles else (False, "There is no vehicle.")
    )


def _no_person(colour: str, truth: Truth) -> tuple[bool, str]:
    seen, reason = _person(colour, truth)
    return not seen, reason


def _several_persons(_colour: str, truth: Truth) -> tuple[bool, str]:
    if truth.persons == 1:
        return False, "Only one person is visible."
    return truth.persons > 1, _person("", truth)[1]


def _person_in_zone(colour: str, truth: Truth) -> tuple[bool, str]:
    if colour not in truth.zones:
        return False, f"There is no {colour} zone."
    if truth.zones[colour].persons:
        return True, f"A person is inside the {colour} zone."
    if truth.persons > 1:
        return False, f"The people are outside the {colour} zone."
    return False, f"The person is outside the {colour} zone." if truth.persons else "There is no person."


def _vehicle_in_zone(colour: str, truth: Truth) -> tuple[bool, str]:
    if colour not in truth.zones:
        return False, f"There is no {colour} zone."
    if truth.zones[colour].vehicles:
        return True, f"A vehicle is inside the {colour} zone."
    if truth.vehicles > 1:
        return False, f"The vehicles are outside the {colour} zone."
    return False, f"The vehicle is outside the {colour} zone." if truth.vehicles else "There is no vehicle."


def _nobody_in_zone(colour: str, truth: Truth) -> tuple[bool, str]:
    inside, reason = _person_in_zone(colour, truth)
    return colour in truth.zones and not inside, reason


def _person_in_any_zone(_colour: str, truth: Truth) -> tuple[bool, str]:
    for colour in COLOURS:
        if colour in truth.zones and truth.zones[colour].persons:
            return True, f"A person is inside the {colour} zone."
    if not truth.zones:
        return False, "There is no zone."
    return False, "Nobody is inside a zone." if truth.persons else "There is no person."


def _zone_exists(colour: str, truth: Truth) -> tuple[bool, str]:
    return (True, f"A {colour} zone is marked.") if colour in truth.zones else (False, f"There is no {colour} zone.")


def _zone_empty(colour: str, truth: Truth) -> tuple[bool, str]:
    if colour not in truth.zones:
        return False, f"There is no {colour} zone."
    for judge in (_person_in_zone, _vehicle_in_zone):
        inside, reason = judge(colour, truth)
        if inside:
            return False, reason
    return True, f"The {colour} zone is empty."


ANSWERS: dict[str, Callable[[str, Truth], tuple[bool, str]]] = {
    "person": _person,
    "vehicle": _vehicle,
    "person_in_zone": _person_in_zone,
    "vehicle_in_zone": _vehicle_in_zone,
    "person_in_any_zone": _person_in_any_zone,
    "nobody_in_zone": _nobody_in_zone,
    "zone_exists": _zone_exists,
    "zone_empty": _zone_empty,
    "several_persons": _several_persons,
    "no_person": _no_person,
}


def phrase(kind: str, colour: str, dice: random.Random) -> str:
    """The question in words; a third of the time a statement, wrapped."""
    if dice.random() < 0.35:
        return roughened(wrapped(fill(dice.choice(STATEMENTS[kind]), dice, colour=colour)), dice)
    return roughened(fill(dice.choice(QUESTIONS[kind]), dice, colour=colour), dice)


def wrapped(condition: str) -> str:
    """As the daemon asks about a condition that isn't a question."""
    return f"Is this true: {condition.removesuffix('.')}?"


def fill(frame: str, dice: random.Random, **fixed: str) -> str:
    """The frame with every slot filled at random; a slot in capitals gets a capital."""
    slots = {name: dice.choice(words) for name, words in SLOTS.items()} | fixed
    slots |= {name.capitalize(): words[:1].upper() + words[1:] for name, words in slots.items()}
    return frame.format(**slots).format(**fixed)


def roughened(text: str, dice: random.Random) -> str:
    """Now and then as people type: no question mark, no capital."""
    if dice.random() < 0.05:
        text = text.removesuffix("?")
    return text[:1].lower() + text[1:] if dice.random() < 0.05 else text
