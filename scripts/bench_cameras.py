"""`scripts/bench cameras`: what a camera costs, how late something is noticed, and what is missed while the camera sleeps.

    scripts/bench cameras cpu      CPU seconds a minute of a 1080p camera, decoded in full and asleep, beside ffmpeg and motion
    scripts/bench cameras latency  from the first packet of a picture with somebody in it to the webhook
    scripts/bench cameras missed   visits that `decode = "auto"` and the gate pass over, and a negative control; the smallest thing noticed
    scripts/bench cameras wakes    the share of quiet time that a camera is awake, also in changing light and rain
    scripts/bench cameras many     16 cameras on this machine

Each prints a table with the goals beside the figures and takes some minutes; nothing is asserted. Ratios are of one run. Clips
are made once, by ffmpeg; it and motion are installed from Debian where they are missing.
"""
import json
import pathlib

from bench_pinned import build
from cameras import cost, latency, many, missed, wakes


def arguments_of(subcommands):
    """Adds `cameras` and its parts to scripts/bench's own parser."""
    import argparse

    command = subcommands.add_parser("cameras", help="what a camera costs, and what is missed while it sleeps",
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = command.add_subparsers(required=True, metavar="cpu|latency|missed|wakes|many")

    part = parts.add_parser("cpu", help="CPU seconds a minute of one camera, beside ffmpeg and motion")
    part.add_argument("--case", action="append", choices=list(cost.CASES), help="may be repeated (default: all)")
    part.add_argument("--rounds", type=int, default=3)
    part.add_argument("--seconds", type=float, default=60, help="per round; an event comes once in 60 (default: %(default)s)")
    part.add_argument("--alone", action="store_true", help="one side after the other instead of all at once")
    part.set_defaults(measure=lambda it: cost.cpu(binary(it), it.case or list(cost.CASES), it.rounds, it.seconds, it.alone))

    part = parts.add_parser("latency", help="from a picture's first packet to the webhook")
    part.add_argument("--side", action="append", choices=list(latency.SIDES), help="may be repeated (default: all)")
    part.add_argument("--cameras", type=int, default=4)
    part.add_argument("--count", type=int, default=10, help="appearances on each camera (default: %(default)s)")
    part.add_argument("--seed", type=int, default=1)
    part.set_defaults(measure=lambda it: latency.latency(binary(it), it.side or list(latency.SIDES), it.cameras, it.count, it.seed))

    part = parts.add_parser("missed", help="events that `auto` sleeps through, and the smallest thing it notices")
    part.add_argument("--only", choices=["footage", "smallest"], help="one half of it (default: both)")
    part.add_argument("--phases", type=int, default=3, help="of every GOP, by chance (default: %(default)s)")
    part.add_argument("--full", action="store_true", help="every phase of every GOP, and three strengths of noise: hours")
    part.add_argument("--seed", type=int, default=1)
    part.set_defaults(measure=measure_missed)

    part = parts.add_parser("wakes", help="the share of quiet time that a camera is awake")
    part.add_argument("--minutes", type=float, default=5)
    part.add_argument("--seed", type=int, default=1)
    part.set_defaults(measure=lambda it: wakes.wakes(example(it), it.minutes, it.seed))

    part = parts.add_parser("many", help="many cameras on this machine while nothing happens")
    part.add_argument("--cameras", type=int, default=16)
    part.add_argument("--seconds", type=float, default=60)
    part.set_defaults(measure=lambda it: many.many(binary(it), it.cameras, it.seconds))

    for name in ("missed", "wakes"):
        parts.choices[name].add_argument("--example", type=pathlib.Path, help="a camera_rehearsal that is built already")
    for part in parts.choices.values():
        part.add_argument("--binary", type=pathlib.Path, help="a stakeout that is built already")
        part.add_argument("--json", action="store_true", help="one line of JSON on stdout")
        part.set_defaults(run=run)


def binary(arguments):
    return (arguments.binary or pathlib.Path(build("bin", "stakeout"))).resolve()


def example(arguments):
    return (arguments.example or pathlib.Path(build("example", "camera_rehearsal"))).resolve()


def measure_missed(arguments):
    rehearsal, figures = example(arguments), {}
    if arguments.only != "smallest":
        figures["footage"] = missed.missed(rehearsal, arguments.phases, arguments.full, arguments.seed)
    if arguments.only != "footage":
        figures["smallest"] = missed.smallest(rehearsal, arguments.seed)
    return figures


def run(arguments):
    figures = arguments.measure(arguments)
    if arguments.json:
        print(json.dumps(figures))
