"""An emulated machine with a real systemd as PID 1: a Debian 12 on a virtual disk, in qemu without virtualisation.

Owns the disk, the power switch and a way to run commands inside (the guest agent); refuses to know what is tested in it.
"""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from installed_debian import STORE, copy_of, fetch_base, run, say, wait_for

# systemd, a kernel, the agent; ps and ip to look and to set up the network.
PACKAGES = "systemd-sysv udev dbus linux-image-cloud-amd64 qemu-guest-agent iproute2 procps".split()
DISK = "3G"
SHELL = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
HOST = "10.0.2.2"  # how the machine sees this one

# The kernel's command line says how long it takes.
NETWORK = """#!/bin/sh
sleep "$(sed 's/.*network_takes=//; s/ .*//' /proc/cmdline)"
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
"""
NETWORK_UNIT = """[Unit]
Description=A network that takes its time
DefaultDependencies=no
After=sysinit.target
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/usr/local/sbin/slow-network
[Install]
WantedBy=multi-user.target
"""


def fetch_layer(package):
    """What the machine is made of beside the base: fetched once, with all that the package depends on, but not the package."""
    depends = run(["dpkg-deb", "-f", package, "Depends"]).strip()
    recipe = repr((PACKAGES, depends, NETWORK, NETWORK_UNIT)).encode()
    layer = STORE / f"machine-{hashlib.sha256(recipe).hexdigest()[:8]}"
    if layer.exists():
        return layer
    for outdated in STORE.glob("machine-*"):
        shutil.rmtree(outdated)
    say("fetching a kernel, systemd and what the package depends on")
    with copy_of([fetch_base()], layer.name, keep=True) as root:
        root.run("apt-get", "update", "-qq")
        root.run("apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES)
        root.run("apt-get", "satisfy", "-qq", "-y", "--no-install-recommends", depends)
        root.path("/etc/systemd/system/slow-network.service").write_text(NETWORK_UNIT)
        root.path("/usr/local/sbin/slow-network").write_text(NETWORK)
        root.path("/usr/local/sbin/slow-network").chmod(0o755)
        root.path("/etc/fstab").write_text("/dev/vda / ext4 defaults,errors=panic 0 0\n")
        root.path("/etc/hostname").write_text("box\n")
        root.run("systemctl", "enable", "slow-network.service")
        # Nothing here is to be fetched or set by itself while a test runs.
        root.run("systemctl", "mask", "apt-daily.timer", "apt-daily-upgrade.timer", "systemd-networkd-wait-online.service")
    return layer


class Disk:
    """The machine's disk, with some files more than the layer has: {path inside: file}. Gone with the folder it is in."""

    def __init__(self, folder, package, files):
        layer = fetch_layer(package)
        self.image = folder / "disk.raw"
        with copy_of([layer, fetch_base()], "disk") as root:
            for place, file in files.items():
                root.path(place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, root.path(place))
            boot = root.path("/boot")
            (kernel,), (initrd,) = boot.glob("vmlinuz-*"), boot.glob("initrd.img-*")
            self.kernel, self.initrd = shutil.copy(kernel, folder / "kernel"), shutil.copy(initrd, folder / "initrd")
            # Without what is only mounted there.
            bare = folder / "bare"
            bare.mkdir()
            run(["mount", "--bind", root.folder, bare])
            try:
                run(["mkfs.ext4", "-q", "-F", "-d", bare, self.image, DISK])
            finally:
                run(["umount", bare])


class Machine:
    """The machine, from power on to power off."""

    def __init__(self, disk, folder, clock="base=utc", network_takes=0):
        self.folder = folder
        self.agent_socket, self.console, self.told = folder / "agent.sock", folder / "console", folder / "told"
        self.agent_socket.unlink(missing_ok=True)
        kernel = f"root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet network_takes={network_takes}"
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-rtc", clock]
        command += ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{self.console}"]
        command += ["-kernel", disk.kernel, "-initrd", disk.initrd, "-append", kernel]
        command += ["-drive", f"file={disk.image},format=raw,if=virtio"]
        command += ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", "-device", "virtio-serial"]
        command += ["-chardev", f"socket,id=agent,path={self.agent_socket},server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        command += ["-chardev", f"file,id=told,path={self.told}", "-device", "virtserialport,chardev=told,name=stakeout.told"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.powered_on = time.monotonic()
        self.agent = None
        wait_for("the emulated machine answers", self.answers, 600)
        say(f"machine: answers {time.monotonic() - self.powered_on:.0f} s after power on")

    def answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"installed: FAILED: qemu ended; its console is {self.console.read_text()[-2000:]}")
        try:
            self.agent = Agent(self.agent_socket)
        except OSError:
            return False
        return True

    def attempt(self, command):
        """Runs a line of shell in the machine: (exit status, output, errors)."""
        return self.agent.execute(command)

    def run(self, command):
        status, output, errors = self.attempt(command)
        if status != 0:
            raise SystemExit(f"installed: in the machine `{command}` ended with {status}:\n{output[-3000:]}{errors[-3000:]}")
        return output

    def write(self, path, text):
        encoded = base64.b64encode(text.encode()).decode()
        self.run(f"mkdir -p $(dirname {path}) && echo {encoded} | base64 -d > {path}")

    def unit(self, name):
        """A property of the unit, as systemd shows it."""
        return self.run(f"systemctl show -P {name} stakeout.service").strip()

    def is_active(self):
        return self.unit("ActiveState") == "active"

    def box(self):
        """What the service tells of itself; None while it doesn't."""
        status, output, _ = self.attempt("stakeout status --json")
        return json.loads(output) if status == 0 else None

    def cut_power(self):
        """From one instruction to the next: what the machine had not written to its disk is gone. What it had written stays in this one's
        page cache, flushed or not: an fsync that is missing is found out like this, a FLUSH that the disk never got isn't."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def shut_down(self):
        self.run("systemctl poweroff --no-block")
        self.process.wait(300)


class Agent:
    """qemu's guest agent: JSON lines over a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(os.fspath(path))
        self.file = self.socket.makefile("r")
        mark = time.monotonic_ns() % 2**31
        self.send("guest-sync", id=mark)
        while json.loads(self.line()).get("return") != mark:
            pass
        self.socket.settimeout(120)

    def send(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def line(self):
        if line := self.file.readline():
            return line
        raise OSError("the agent is gone")

    def ask(self, command, **arguments):
        self.send(command, **arguments)
        answer = json.loads(self.line())
        if "error" in answer:
            raise SystemExit(f"installed: the guest agent refuses `{command}`: {answer['error']}")
        return answer["return"]

    def execute(self, line):
        started = self.ask("guest-exec", path="/bin/sh", arg=["-c", line], env=SHELL, **{"capture-output": True})
        status = wait_for(f"`{line}` ends", lambda: self.ended(started["pid"]), 3600)
        decoded = [base64.b64decode(status.get(stream, "")).decode() for stream in ("out-data", "err-data")]
        return status.get("exitcode", 128 + status.get("signal", 0)), *decoded

    def ended(self, pid):
        status = self.ask("guest-exec-status", pid=pid)
        return status if status["exited"] else None
