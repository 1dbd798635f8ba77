"""`scripts/bench durability`: runs what is asked for, prints a table for people and a line of JSON for programs."""
from . import failpoints, kills, power
from .box import assembled

COLUMNS = ("what", "runs", "promises", "lost", "corrupt", "altered", "frames missing", "duplicates", "clips", "wrong")
WIDTHS = (36, 6, 9, 6, 8, 8, 15, 10, 6, 6)

# What the controls of clips do, and as what it must be noticed.
SPOILED = {"missing": "a clip removed", "altered": "a byte of one altered", "torn": "an unfinished one's end cut off"}


def run(binary, library, arguments, say):
    """The figures, and whether all of them are as they must be: nothing lost, and every control noticed."""
    figures, good = {}, True
    _line(say, COLUMNS)
    with assembled(binary, library, rtsp=arguments.rtsp) as it:
        for wanted, part in [(arguments.kills, _kills), (arguments.failpoints is not None, _failpoints),
                             (arguments.power_cuts, _cuts)]:
            if wanted:
                told, fine = part(it, arguments, say)
                figures.update(told)
                good = good and fine
    return figures, good


def _kills(product, arguments, say):
    verdict, under_load, filmed, unfinished = kills.run(product, arguments.kills, arguments.seed, say)
    wiped, altered = kills.wiped(product), kills.altered(product)
    spoiled = kills.spoiled_clips(product)
    _line(say, (*_of_verdict("kill -9", arguments.kills, verdict), filmed.rows, filmed.wrong.total()))
    _line(say, _of_verdict("  control: the journal wiped", 1, wiped))
    _line(say, _of_verdict("  control: bodies altered", 1, altered))
    for kind, words in SPOILED.items():
        _line(say, (f"  control: {words}", 1, *[""] * 6, "", spoiled.wrong[kind]))
    say(f"clips: {filmed.ready} ready and {filmed.failed} failed in the end; "
        f"{unfinished} were unfinished when they were killed, with whole fragments")
    _explain(say, ([] if verdict.is_clean() else [str(vars(verdict))]) + filmed.details)
    figures = {"kills": {"runs": arguments.kills, "under_load": under_load, **verdict.figures(),
                         "control_wiped_lost": len(wiped.lost), "control_altered": len(altered.altered),
                         "clips": {**filmed.figures(), "unfinished": unfinished, "control_wrong": dict(spoiled.wrong)}}}
    noticed = bool(wiped.lost) and bool(altered.altered) and all(spoiled.wrong[kind] for kind in SPOILED)
    return figures, verdict.is_clean() and filmed.is_clean() and noticed


def _failpoints(product, arguments, say):
    points, found = failpoints.run(product, arguments.failpoints, arguments.seed, say)
    control = failpoints.spoiled(product)
    _line(say, _of_found("ended on the way into a call", found))
    _line(say, _of_found("  control: frames and clips wiped", control))
    say(f"clips: {found.clips.ready} ready and {found.clips.failed} failed after starts on what was left")
    _explain(say, found.details + found.clips.details)
    figures = {"failpoints": {**found.figures(), "killed": points, "control_frames_missing": control.frames,
                              "control_clips_wrong": dict(control.clips.wrong)}}
    noticed = control.frames > 0 and control.clips.wrong["missing"] > 0
    return figures, found.is_clean() and sum(points.values()) > 0 and noticed


def _cuts(product, arguments, say):
    found, controls = power.run(product, arguments.power_cuts, arguments.seed, say)
    _line(say, _of_found("power cut", found))
    for name, control in controls.items():
        _line(say, _of_found(f"  control: {name}", control))
    say(f"clips: {found.clips.ready} ready and {found.clips.failed} failed after starts on what was left")
    _explain(say, found.details + found.clips.details)
    normal, off, frames, filmed = (controls[name] for name in power.CONTROLS)
    figures = {"power_cuts": {**found.figures(), "control_normal_lost": normal.lost, "control_off_corrupt": off.corrupt,
                              "control_frames_missing": frames.frames,
                              "control_clips_wrong": dict(filmed.clips.wrong)}}
    noticed = normal.lost and off.corrupt and frames.frames and filmed.clips.wrong["torn"] and filmed.clips.wrong["missing"]
    return figures, found.is_clean() and bool(noticed)


def _of_verdict(what, runs, verdict):
    return (what, runs, verdict.accepted, len(verdict.lost), verdict.corrupt, len(verdict.altered), "", verdict.duplicates)


def _of_found(what, found):
    return (what, found.cuts, found.promises, found.lost, found.corrupt, found.altered, found.frames, "", found.clips.rows,
            found.clips.wrong.total())


def _line(say, cells):
    say("  ".join(f"{cell:<{width}}" if at == 0 else f"{cell!s:>{width}}"
                  for at, (cell, width) in enumerate(zip(cells, WIDTHS))))


def _explain(say, details):
    for words in details:
        say(f"  {words}")
