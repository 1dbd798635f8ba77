"""`scripts/bench cameras`: what a camera costs, how late something is noticed, and what is missed while the camera sleeps.

    scripts/bench cameras cpu      CPU seconds a minute of a 1080p camera, decoded in full and asleep, beside ffmpeg and motion
    scripts/bench cameras latency  from the first packet of a picture with somebody in it to the webhook
    scripts/bench cameras missed   events that `decode = "auto"` sleeps through and `all` finds; the smallest thing noticed
    scripts/bench cameras wakes    the share of quiet time that a camera is awake, also in changing light and rain
    scripts/bench cameras many     16 cameras on this machine

Each prints a table with the goals beside the figures and takes some minutes; nothing is asserted. Ratios are of one run. Clips
are made once, by ffmpeg; it and motion are installed from Debian where they are missing.
"""
import json
import pathlib

from bench_pinned import build
from cameras import cost


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

    for part in parts.choices.values():
        part.add_argument("--binary", type=pathlib.Path, help="a stakeout that is built already")
        part.add_argument("--json", action="store_true", help="one line of JSON on stdout")
        part.set_defaults(run=run)


def binary(arguments):
    return (arguments.binary or pathlib.Path(build("bin", "stakeout"))).resolve()


def run(arguments):
    figures = arguments.measure(arguments)
    if arguments.json:
        print(json.dumps(figures))
