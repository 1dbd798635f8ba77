"""What the product and its README tell an operator to type, typed in the emulated machine: the first set-up, and the way back."""

import json
import re

from installed_debian import ROOT, expect, wait_for
from installed_machine import HOST
from installed_receiver import SECRET, Receiver

SET_UP = """cd /root && stakeout init --camera-name yard --camera-url file:///var/lib/stakeout/yard.mp4 --model yard-classifier --labels person \\
    --endpoint-url http://{host}:{port}/ --endpoint-secret-file /root/ops.secret"""
# An upgrade that changes the default configuration asks; here nobody would answer.
INSTALL = "apt-get install -y --no-install-recommends --allow-downgrades -o Dpkg::Options::=--force-confold"


def is_set_up_as_it_says(machine):
    """On a package that was just installed, whose service runs and watches nothing: `stakeout init`, and each step that it says is next."""
    receiver = Receiver()
    machine.write("/root/ops.secret", SECRET)
    machine.run("cp /root/yard.mp4 /var/lib/stakeout/ && cp -p /etc/stakeout/stakeout.toml /root/shipped.toml")
    told = machine.run(SET_UP.format(host=HOST, port=receiver.port))
    steps = [line.removeprefix("next").strip() for line in told.splitlines() if line.startswith("next ")]
    expect(steps, f"`stakeout init` says what is next: {'; '.join(steps)}")
    for step in steps:
        machine.run(step)
    cameras = [camera["name"] for camera in machine.box()["cameras"]]
    expect(cameras == ["yard"], f"after these steps the service knows the camera {cameras}")
    wait_for("an event of what `stakeout init` set up", receiver.taken)
    expect(True, "… and watches it: what happens there arrives, signed with the secret that it was given")
    machine.run("systemctl stop stakeout && cp -p /root/shipped.toml /etc/stakeout/stakeout.toml")
    machine.run("rm -rf /var/lib/stakeout/* /etc/stakeout/ops.secret && systemctl start stakeout")


def goes_back(machine):
    """README.md, "Upgrade and downgrade": a copy, an upgrade that isn't liked, and back, by the commands that are written there."""
    for command in recipe("Before an upgrade"):
        machine.run(command)
    machine.run(f"{INSTALL} /root/newer.deb")
    wait_for("the newer release runs", lambda: machine.is_active() and machine.box())
    copied = events(machine, "/var/lib/stakeout.before")
    later = wait_for("something happens with it", lambda: set(events(machine)) - set(copied))
    for command in recipe("To go back"):
        machine.run(command.replace("apt install --allow-downgrades ./stakeout_OLDER.deb", f"{INSTALL} /root/older.deb"))
    wait_for("the older release runs", lambda: machine.is_active() and machine.box())
    version = machine.run("dpkg-query -W -f '${Version}' stakeout")
    now = events(machine)
    expect(version == "0.0.9-1" and now[: len(copied)] == copied, f"the way back leads to the older release ({version}) with the journal that was copied")
    expect(not later & set(now), "… without what happened later")
    kept = events(machine, "/var/lib/stakeout.newer")
    expect(later <= set(kept), "… which the newer journal still tells")
    places = sorted(machine.run("find /var/lib -maxdepth 2 -name 'stakeout*'").split())
    expect(places == ["/var/lib/stakeout", "/var/lib/stakeout.newer"], f"… and nothing landed elsewhere ({' '.join(places)})")


def recipe(beginning):
    """The commands of README.md's item that begins like that. (Root needs no sudo.)"""
    (item,) = re.findall(rf"^- {beginning}.*(?:\n  .*)*", (ROOT / "README.md").read_text(), re.MULTILINE)
    commands = [command.removeprefix("sudo ") for command in re.findall("`(sudo [^`]+)`", item)]
    expect(commands, f"README.md, {beginning}: {'; '.join(commands)}")
    return commands


def events(machine, storage="/var/lib/stakeout"):
    """Ids of the events in the journal there, the oldest first. A socket at which nobody listens: the daemon would tell of its own."""
    machine.write("/root/elsewhere.toml", f'[storage]\npath = "{storage}"\n[api]\nsocket = "/root/nobody.sock"\n')
    lines = machine.run("stakeout events --config /root/elsewhere.toml --json").splitlines()
    return [json.loads(line)["id"] for line in lines]
