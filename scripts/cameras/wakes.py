"""`scripts/bench cameras wakes`: how much of quiet time a camera is awake, also when the light changes and it rains."""
from bench_pinned import say

from . import clips, footage, rehearsal
from .machine import machine, named

STREET_SIZE, STREET_FPS = "960:540", 10

# A change: what ffmpeg does to every picture; `t` is the time in seconds, {seconds} the clip's length, {size} the picture's.
RAIN = ("split[dry][copy];[copy]lutyuv=y=16:u=128:v=128,noise=c0s=100:c0f=t:c0_seed=3,lutyuv=y='if(gt(val,96),235,0)',"
        "avgblur=sizeX=1:sizeY=9[drops];[dry][drops]blend=c0_mode=addition:c0_opacity=0.5")
CHANGES = {
    "nothing": ("null", clips.SENSOR_NOISE),
    "twice the noise": ("null", 2 * clips.SENSOR_NOISE),
    "light on and off every 30 s": ("eq=brightness='0.1*mod(floor(t/30),2)':eval=frame", clips.SENSOR_NOISE),
    "dusk": ("eq=brightness='-0.2*t/{seconds}':contrast='1-0.5*t/{seconds}':eval=frame", clips.SENSOR_NOISE),
    "rain": (RAIN, clips.SENSOR_NOISE),
    "infrared every other minute": ("format=gbrp,colorchannelmixer=.1:.9:-.2:0:.1:.9:-.2:0:.1:.9:-.2:0:enable='mod(floor(t/60),2)',"
                                    "format=yuv420p", clips.SENSOR_NOISE),
}


def wakes(example, minutes, seed):
    """The share of quiet time awake, for each change on each scene."""
    before, rows, seconds = machine(), [], minutes * 60
    say(f"cameras wakes: {minutes:g} min of nothing on each of 3 scenes, GOP 2 s; {named(before)}")
    say(f"{'change':<32}{'scene':<8}{'awake':>8}{'wakes/h':>9}{'checks/h':>10}{'decoded':>9}")
    scenes = {name: footage.nothing(name, seconds) for name in footage.SOURCES}
    plans = [(change, scene) for change in CHANGES for scene in (*scenes, "street")]
    variants = [arguments(change, scenes.get(scene), seconds, seed) for change, scene in plans]
    for (change, scene), told in zip(plans, rehearsal.each(example, variants, ("auto",))):
        quiet, awake, times = rehearsal.quiet_awake(told["auto"], [])
        checks = sum(at > rehearsal.WARM_UP_S for at in told["auto"]["checks"])
        row = {"change": change, "scene": scene, "awake": round(awake / quiet, 4), "wakes_per_hour": round(times * 3600 / quiet, 1),
               "checks_per_hour": round(checks * 3600 / quiet, 1), "decoded": round(told["auto"]["decoded"] / told["auto"]["packets"], 4)}
        rows.append(row)
        say(f"{change:<32}{scene:<8}{row['awake']:>8.1%}{row['wakes_per_hour']:>9.0f}{row['checks_per_hour']:>10.0f}{row['decoded']:>9.1%}")
    return {"machine": before, "minutes": minutes, "rows": rows}


def arguments(change, film, seconds, seed):
    fps = film.fps if film else STREET_FPS
    source = film.input() if film else ["-loop", "1", "-framerate", fps, "-t", seconds, "-i", clips.STREET]
    steps, strength = CHANGES[change]
    steps = [f"[0:v]setpts=N/{fps}/TB" + ("" if film else f",scale={STREET_SIZE},format=yuv420p") + "[picture]",
             f"[picture]{steps.format(seconds=seconds)}[changed]", f"[changed]{clips.noise(strength, seed)}"]
    return (*source, "-filter_complex", ";".join(steps), "-r", fps, *clips.Encoder(round(2 * fps), "crf25").arguments())
