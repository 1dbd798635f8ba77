"""`scripts/bench cameras missed`: what `decode = "auto"` and the gate pass over and `all` without a gate finds, and the
smallest thing that is noticed."""
import random
import statistics

from bench_pinned import die, say

from . import clips, footage, rehearsal
from .machine import machine, named

QUIET_S = 60
GOPS_S, RATES, NOISES = (1, 2), ("crf25", "500k"), (clips.SENSOR_NOISE,)
ALL_NOISES = (0, clips.SENSOR_NOISE, 2 * clips.SENSOR_NOISE)
# Cars are to be seen for 3 to 5 s.
CONTROL, CONTROL_GOP_S = "cars", 8

# A patch of so many pixels, brighter than what is behind it by so many levels, that moves so many pixels a second for 6 s.
SIZES, STAY_S, GAP_S, SYNTHETIC_FPS = (8, 12, 16, 24, 32, 48, 64, 96, 128), 6, 20, 10
PATCHES = ((60, 200), (60, 40), (25, 40))


def missed(example, phases, full, seed):
    """Over real footage: every visit after a minute of quiet."""
    before, dice, rows = machine(), random.Random(seed), []
    say(f"cameras missed: each visit after {QUIET_S} s of quiet, checks every {rehearsal.CHECK_MS} ms, notice_within "
        f"{rehearsal.NOTICE_MS} ms; {named(before)}")
    say(f"{'footage':<8}{'GOP s':>6}{'rate':>7}{'noise':>6}{'visits':>8}{'slept':>7}{'all finds':>11}{'auto misses':>13}"
        f"{'first frame checked, s (median, max)':>38}{'quiet awake':>13}")
    for name in footage.SOURCES:
        film = footage.drawn_out(name, QUIET_S)
        for gop_s in GOPS_S:
            every = range(round(gop_s * film.fps))
            chosen = every if full else sorted(dice.sample(every, min(phases, len(every))))
            for rate in RATES:
                for strength in ALL_NOISES if full else NOISES:
                    rows.append(scored(example, name, film, gop_s, rate, strength, chosen, seed))
                    tell(rows[-1])
    total = {key: sum(row[key] for row in rows) for key in ("visits", "asleep", "all_found", "missed", "quiet_s", "awake_s")}
    say(f"cameras missed: {total['missed']} of {total['all_found']} that all finds (goal: 0), "
        f"{total['asleep']} of the {total['visits']} met a sleeping camera; quiet time awake {total['awake_s'] / total['quiet_s']:.1%}")
    return {"machine": before, "goal_missed": 0, **total, "rows": rows, "control": control(example, seed)}


def control(example, seed):
    """A camera that never wakes, on keyframes further apart than visits are long: it must miss some."""
    film = footage.drawn_out(CONTROL, QUIET_S)
    gop = round(CONTROL_GOP_S * film.fps)
    row = scored(example, CONTROL, film, CONTROL_GOP_S, RATES[0], NOISES[0], range(0, gop, gop // 4), seed, "keyframes")
    say(f"cameras missed: negative control, a keyframe every {CONTROL_GOP_S} s and nothing else: {row['missed']} of {row['all_found']} missed")
    return row if row["missed"] else die("the negative control missed nothing: what misses are counted by is broken")


def scored(example, name, film, gop_s, rate, strength, phases, seed, judged="auto"):
    variants = [arguments(film, gop_s, rate, strength, phase, seed) for phase in phases]
    row = {"footage": name, "gop_s": gop_s, "rate": rate, "noise": strength, "phases": len(phases), "decode": judged, "visits": 0,
           "asleep": 0, "all_found": 0, "found": 0, "missed": 0, "quiet_s": 0.0, "awake_s": 0.0, "missed_visits": []}
    delays = []
    for phase, told in zip(phases, rehearsal.each(example, variants, ("all", judged))):
        visits = [[began - phase / film.fps, until - phase / film.fps] for began, until in film.visits]
        for number, visit in enumerate(visits):
            # The gate may be what misses, so the truth is without it.
            there, found = rehearsal.first_frame(told["all"], visit), rehearsal.first_check(told[judged], visit)
            row["visits"] += 1
            row["asleep"] += rehearsal.was_asleep(told[judged], visit[0])
            row["all_found"] += there is not None
            row["found"] += found is not None
            if there is not None and found is None:
                row["missed"] += 1
                row["missed_visits"].append({"phase": phase, "visit": number})
            delays += [found] if found is not None else []
        quiet, awake, _ = rehearsal.quiet_awake(told[judged], visits)
        row["quiet_s"] += quiet
        row["awake_s"] += awake
    row["first_s_median"], row["first_s_max"] = (round(statistics.median(delays), 2), round(max(delays), 2)) if delays else (None, None)
    return row


def arguments(film, gop_s, rate, strength, phase, seed):
    steps = f"trim=start_frame={phase},setpts=N/{film.fps}/TB,{clips.noise(strength, seed)}"
    return (*film.input(), "-vf", steps, "-r", film.fps, *clips.Encoder(round(gop_s * film.fps), rate).arguments())


def tell(row):
    first = f"{row['first_s_median']}, {row['first_s_max']}"
    say(f"{row['footage']:<8}{row['gop_s']:>6}{row['rate']:>7}{row['noise']:>6}{row['visits']:>8}{row['asleep']:>7}"
        f"{row['all_found']:>11}{row['missed']:>13}{first:>38}{row['awake_s'] / row['quiet_s']:>13.1%}")


def smallest(example, seed):
    """Over a real street: patches of growing size."""
    before, rows = machine(), []
    say(f"cameras missed: a square brighter than what is behind it, {STAY_S} s on a real street in 1080p, GOP 2 s; the smallest "
        f"one (pixels) from which on every one is noticed; {named(before)}")
    say(f"{'noise':>6}{'contrast':>10}{'pixels/s':>10}{'all':>7}{'auto':>7}")
    plans = [(strength, contrast, speed) for strength in ALL_NOISES for contrast, speed in PATCHES]
    told = rehearsal.each(example, [patches(*plan, seed) for plan in plans], ("all", "auto"))
    for (strength, contrast, speed), answers in zip(plans, told):
        least = {decode: least_noticed(answer) for decode, answer in answers.items()}
        rows.append({"noise": strength, "contrast": contrast, "pixels_per_s": speed, **least})
        say(f"{strength:>6}{contrast:>10}{speed:>10}{least['all'] or '-':>7}{least['auto'] or '-':>7}")
    return {"machine": before, "sizes": SIZES, "smallest": rows}


def patches(strength, contrast, speed, seed):
    """A clip in which every size comes once, the smallest first, each at another height."""
    dice, (width, height) = random.Random(seed), clips.FULL_HD
    count = len(SIZES)
    # Darker, so that even its white has room for something brighter.
    steps = [f"[0:v]scale={width}:{height},format=yuv420p,lutyuv=y=val*0.7,split={count + 1}[at0]" + "".join(f"[copy{n}]" for n in range(count))]
    for number, size in enumerate(SIZES):
        began = GAP_S + number * (GAP_S + STAY_S) + round(dice.uniform(0, 2), 2)
        x = f"clip({dice.randint(200, 500)}+(t-{began})*{speed},0,{width - size})"
        y = dice.randint(height // 3, height - 2 * size)
        steps.append(f"[copy{number}]crop={size}:{size}:x='{x}':y={y}:exact=1,lutyuv=y='clip(val+{contrast},16,235)'[patch{number}]")
        steps.append(f"[at{number}][patch{number}]overlay=x='{x}':y={y}:enable='between(t,{began},{began + STAY_S})'[at{number + 1}]")
    steps.append(f"[at{count}]{clips.noise(strength, seed)}")
    seconds = GAP_S + count * (GAP_S + STAY_S)
    return ("-loop", "1", "-framerate", SYNTHETIC_FPS, "-t", seconds, "-i", clips.STREET, "-filter_complex", ";".join(steps),
            *clips.Encoder(2 * SYNTHETIC_FPS, "3M").arguments())


def least_noticed(told):
    """The smallest size from which on all are."""
    least = None
    for number in reversed(range(len(SIZES))):
        began = GAP_S + number * (GAP_S + STAY_S)
        if rehearsal.first_check(told, [began, began + STAY_S + 2]) is None:
            return least
        least = SIZES[number]
    return least
