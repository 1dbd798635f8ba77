"""The unit in the emulated machine: installed, set up, taken back and upgraded under systemd, wedged, killed, stopped, misconfigured, cut
off from power, and started where there is neither network nor clock."""

import json
import shutil
import tempfile
import time
from pathlib import Path

from installed_debian import ROOT, STORE, expect, say, wait_for
from installed_machine import HOST, Disk, Machine
from installed_receiver import SECRET, Receiver
from installed_recipes import goes_back, is_set_up_as_it_says

SITE = """
[[camera]]
name = "yard"
url = "file:///var/lib/stakeout/yard.mp4"
loop = true
{monitors}
[[endpoint]]
name = "ops"
url = "http://{host}:{port}/"
secret_credential = "ops.secret"
events = ["monitor.triggered"]
rate = "2/s"
"""
# Many events from one clip.
MONITOR = """
[[monitor]]
name = "{label}"
camera = "yard"
model = "yard-classifier"
labels = ["{label}"]
check_interval = "500ms"
cooldown = "1s"
gate = "off"
"""
LABELS = ("person", "vehicle", "person_in_zone")
# The secret is where only root can read it.
CREDENTIAL = "[Service]\nLoadCredential=ops.secret:/root/ops.secret\n"

# PTRACE_SEIZE and PTRACE_INTERRUPT: stops one thread and leaves the others running, for as long as this runs. (Perl is on every Debian.)
WEDGE = "syscall(101, $_, $ARGV[0] + 0, 0, 0) == 0 or die qq(ptrace: $!) for 0x4206, 0x4207; sleep 3600"


def check_machine(packages):
    with tempfile.TemporaryDirectory(dir=STORE) as folder:
        folder = Path(folder)
        files = {"/root/older.deb": packages.older, "/root/newer.deb": packages.newer, "/root/yard.mp4": ROOT / "tests/data/yard.mp4"}
        disk = Disk(folder, packages.newer, files)
        receiver = Receiver()
        machine = Machine(disk, folder)
        installs(machine)
        is_set_up_as_it_says(machine)
        configure(machine, receiver)
        goes_back(machine)
        upgrades(machine)
        for thread in ("watch-yard", "camera-yard"):
            is_restarted_when_wedged(machine, thread)
        is_restarted_when_frozen(machine)
        is_restarted_when_killed(machine)
        stops(machine)
        stays_down_when_misconfigured(machine)
        accepted = loses_power_in_a_backlog(machine, receiver)
        machine = starts_before_the_network(disk, folder)
        every_event_arrives(machine, receiver, accepted)
        machine.shut_down()
        starts_without_a_clock(disk, folder)


def installs(machine):
    machine.run("apt-get install -y --no-install-recommends /root/older.deb")
    expect(machine.is_active() and machine.unit("SubState") == "running", "installing it starts it, and systemd is told that it is ready")
    expect(machine.run("systemctl is-enabled stakeout").strip() == "enabled", "… and it starts at boot")
    expect(machine.run(f"ps -o user= -p {machine.unit('MainPID')}").strip() == "stakeout", "it runs as its own user")
    # The version that it reports is the program's, not the package's.
    told = machine.run("stakeout status")
    expect("cameras" in machine.box(), f"`stakeout status` on the default configuration: {told.strip()}")


def configure(machine, receiver):
    machine.run("cp /root/yard.mp4 /var/lib/stakeout/")
    machine.write("/root/ops.secret", SECRET)
    machine.write("/etc/systemd/system/stakeout.service.d/secrets.conf", CREDENTIAL)
    monitors = "".join(MONITOR.format(label=label) for label in LABELS)
    site = SITE.format(host=HOST, port=receiver.port, monitors=monitors)
    machine.write("/root/site.toml", site)
    machine.run("chmod 600 /root/ops.secret && cat /root/site.toml >> /etc/stakeout/stakeout.toml && systemctl daemon-reload")
    machine.run("systemctl restart stakeout")
    wait_for("an event arrives from the machine", receiver.taken)
    expect(True, "camera, model and webhook work inside the hardened unit, signed with a secret of LoadCredential=")


def upgrades(machine):
    config = machine.run("sha256sum /etc/stakeout/stakeout.toml")
    starts, since = machine.box()["journal"]["generation"], machine.unit("InvocationID")
    events = machine.run("stakeout events --json").splitlines()
    machine.run("apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold /root/newer.deb")
    wait_for("the newer one runs", lambda: machine.is_active() and machine.box())
    expect(machine.unit("InvocationID") != since, "an upgrade restarts the service")
    journal = machine.box()["journal"]
    expect(journal["generation"] == starts + 1 and journal["unclean_starts"] == 0, "… once, and in good order")
    expect(machine.run("sha256sum /etc/stakeout/stakeout.toml") == config, "… and keeps the edited configuration")
    ids = [json.loads(line)["id"] for line in events]
    kept = {json.loads(line)["id"] for line in machine.run("stakeout events --json").splitlines()}
    expect(set(ids) <= kept, f"… and the journal ({len(ids)} events)")


def watchdog_fired(machine):
    return int(machine.run("journalctl -b -u stakeout -o cat | grep -c 'Watchdog timeout' || true"))


def is_restarted_when_wedged(machine, name):
    process, fired = machine.unit("MainPID"), watchdog_fired(machine)
    thread = machine.run(f"grep -lx {name} /proc/{process}/task/*/comm | cut -d / -f 5").strip()
    began = time.monotonic()
    machine.run(f"systemd-run --unit wedge --collect perl -e '{WEDGE}' {thread}")
    stopped = f"grep -q 'State:.t' /proc/{process}/task/{thread}/status && grep -q 'State:.[SR]' /proc/{process}/status"
    wait_for(f"{name} to be stopped, and no other", lambda: machine.attempt(stopped)[0] == 0)
    wait_for(f"a restart after {name} was stopped", lambda: machine.unit("MainPID") not in (process, "0") and machine.is_active())
    expect(watchdog_fired(machine) == fired + 1, f"with {name} stopped and all others running, the watchdog restarts it ({time.monotonic() - began:.0f} s)")
    machine.attempt("systemctl stop wedge")


def is_restarted_when_frozen(machine):
    process, fired = machine.unit("MainPID"), watchdog_fired(machine)
    began = time.monotonic()
    machine.run(f"kill -STOP {process}")
    wait_for("a restart of the stopped process", lambda: machine.unit("MainPID") not in (process, "0") and machine.is_active())
    expect(watchdog_fired(machine) == fired + 1, f"a process that is stopped altogether is restarted, too ({time.monotonic() - began:.0f} s)")


def is_restarted_when_killed(machine):
    process, fired = machine.unit("MainPID"), watchdog_fired(machine)
    began = time.monotonic()
    machine.run(f"kill -KILL {process}")
    wait_for("a restart of the killed process", lambda: machine.unit("MainPID") not in (process, "0") and machine.is_active())
    expect(watchdog_fired(machine) == fired, f"a killed one is restarted at once ({time.monotonic() - began:.0f} s until it is ready)")


def stops(machine):
    took = machine.run("a=$(date +%s%N); systemctl stop stakeout; b=$(date +%s%N); echo $(((b - a) / 1000000))")
    expect(int(took) < 10_000 and machine.unit("Result") == "success", f"it stops in {int(took) / 1000:.1f} s, by itself")
    machine.run("systemctl start stakeout")


def stays_down_when_misconfigured(machine):
    machine.run("cp -p /etc/stakeout/stakeout.toml /root/good.toml && echo nonsense >> /etc/stakeout/stakeout.toml")
    machine.attempt("systemctl restart stakeout")
    before = machine.unit("NRestarts")
    machine.run("sleep 10")
    seen = [machine.unit(name) for name in ("ActiveState", "ExecMainStatus")]
    expect(seen == ["failed", "78"] and machine.unit("NRestarts") == before, f"exit status 78 is not restarted ({', '.join(seen)})")
    machine.run("cp -p /root/good.toml /etc/stakeout/stakeout.toml && systemctl start stakeout")


def loses_power_in_a_backlog(machine, receiver):
    """The ids that were accepted before the power was cut, as the machine told them one by one."""
    machine.run("systemd-run --unit told sh -c 'exec stakeout events --follow --json --after 0 > /dev/virtio-ports/stakeout.told'")
    receiver.status = 503
    wait_for("a backlog", lambda: len(accepted_by(machine) - receiver.taken()) >= 40, 900)
    receiver.status = 200
    owed, taken = len(accepted_by(machine) - receiver.taken()), len(receiver.taken())
    wait_for("the backlog to drain", lambda: len(receiver.taken()) >= taken + 5, 600)
    machine.cut_power()
    accepted = accepted_by(machine)
    left = accepted - receiver.taken()
    expect(len(left) >= 10, f"power cut in the middle of a backlog: {owed} were owed, {len(left)} of {len(accepted)} accepted ones still are")
    return accepted


def accepted_by(machine):
    """Events that are on the machine's disk, or it would not have told them."""
    lines = machine.told.read_text(errors="replace").split("\n")[:-1]
    events = [json.loads(line) for line in lines]
    return {event["id"] for event in events if event["type"] == "monitor.triggered"}


def starts_before_the_network(disk, folder):
    """Powers the machine on again, with a network that takes a while."""
    shutil.copy(folder / "told", folder / "told.before")
    machine = Machine(disk, folder, network_takes=60)
    wait_for("the service is ready", machine.is_active)
    state = machine.run("systemctl show -P ActiveState slow-network.service").strip()
    ready = int(machine.unit("ActiveEnterTimestampMonotonic")) / 1e6
    expect(state == "activating", f"it is ready {ready:.0f} s after the kernel began, before the network is")
    return machine


def every_event_arrives(machine, receiver, accepted):
    box_now = wait_for("the daemon serves", machine.box)
    expect(box_now["journal"]["unclean_starts"] >= 1 and box_now["journal"]["resets"] == 0, "the journal knows of the power cut, and is whole")
    began = time.monotonic()
    wait_for("every accepted event", lambda: not lost(accepted, receiver), 900)
    expect(lost(accepted | {"an event that never was"}, receiver), "an event that didn't arrive would be noticed")
    expect(True, f"every accepted event arrived ({len(accepted)}), the last of them {time.monotonic() - began:.0f} s after the start")
    expect(not receiver.problems, f"… with the same bytes every time {receiver.problems or ''}".rstrip())
    highest = max(receiver.sequences)
    wait_for("a sequence without gaps", lambda: set(range(1, highest + 1)) <= receiver.sequences, 600)
    expect(True, f"the sequence has no gap from 1 to {highest}")


def lost(accepted, receiver):
    return accepted - receiver.taken()


def starts_without_a_clock(disk, folder):
    machine = Machine(disk, folder, clock="base=2000-01-01T00:00:00", network_takes=3600)
    wait_for("the service is ready", machine.is_active)
    told = wait_for("the daemon serves", machine.box)
    date = machine.run("date +%F").strip()
    expect(told["clock"] != "synced", f"it is ready without network, with a clock that nobody set ({date}), and says so ({told['clock']})")
    began = time.monotonic()
    machine.shut_down()
    say(f"machine: off {time.monotonic() - began:.0f} s after the order")
