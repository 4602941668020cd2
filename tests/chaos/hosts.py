"""Hosts that are network namespaces on one bridge, between which links are cut without a word: packets go to an address that nobody has."""
import asyncio
import ctypes
import os
import re
import secrets
import subprocess
import threading

from common import Skipped
from links import Link, Links

CLONE_NEWNET = 0x40000000
NOBODY = "02:00:00:00:00:fe"


def ip(*words, check=True, program="ip"):
    return subprocess.run([program, *map(str, words)], check=check, capture_output=True, text=True)


def tc(*words):
    return ip(*words, program="tc")


def listen_in(namespace, port):
    """A socket that listens on 127.0.0.1 there; a thread of its own enters, as a whole process would not come back."""
    import socket
    made = []

    def enter():
        with open(f"/run/netns/{namespace}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) == 0:
                made.append(socket.create_server(("127.0.0.1", port), backlog=128))
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert made, namespace
    return made[0]


class Gate(Link):
    """A port inside of a namespace that leads to the same port outside."""

    def __init__(self, links, namespace, port):
        self.listener = listen_in(namespace, port)
        super().__init__(links, port)

    async def open(self):
        self.changed = asyncio.Condition()
        self.server = await asyncio.start_server(self.accept, sock=self.listener)
        return self.target


class Hosts:
    """`names`: hosts, each with an address on one network. AWS (a port of 127.0.0.1 outside) is reached from each at that same address."""

    def __init__(self, names, aws_port):
        self.mark = f"swp{secrets.token_hex(3)}"
        self.address = {name: f"10.77.0.{10 + number}" for number, name in enumerate(names)}
        self.hardware = {name: f"02:00:00:00:01:{10 + number:02x}" for number, name in enumerate(names)}
        self.made = []
        try:
            self.add("hub")
        except (subprocess.CalledProcessError, OSError):
            raise Skipped("network namespaces can't be made here (that needs root)") from None
        try:
            ip("-n", self.of("hub"), "link", "add", "bridge", "type", "bridge")
            ip("-n", self.of("hub"), "link", "set", "bridge", "up")
            self.links = Links()
            for name in names:
                self.connect(name)
                Gate(self.links, self.of(name), aws_port)
        except BaseException:
            self.close()
            raise

    def of(self, name):
        return f"{self.mark}-{name}"

    def add(self, name):
        ip("netns", "add", self.of(name))
        self.made.append(self.of(name))
        ip("-n", self.of(name), "link", "set", "lo", "up")

    def connect(self, name):
        self.add(name)
        ip("-n", self.of("hub"), "link", "add", name[:15], "type", "veth", "peer", "name", "lan", "netns", self.of(name))
        ip("-n", self.of("hub"), "link", "set", name[:15], "master", "bridge", "up")
        ip("-n", self.of(name), "link", "set", "lan", "address", self.hardware[name], "up")
        ip("-n", self.of(name), "address", "add", f"{self.address[name]}/24", "dev", "lan")

    def on(self, name):
        """What starts a program there."""
        return ["ip", "netns", "exec", self.of(name)]

    def route(self, one, other, hardware):
        ip("-n", self.of(one), "neigh", "replace", self.address[other], "lladdr", hardware, "nud", "permanent", "dev", "lan")

    def cut(self, one, other):
        """Packets between the two are lost, in both directions."""
        self.route(one, other, NOBODY), self.route(other, one, NOBODY)

    def heal(self, one, other):
        self.route(one, other, self.hardware[other]), self.route(other, one, self.hardware[one])

    def squeeze(self, name):
        """Packets to and from it that are more than a thin line takes are lost: this kernel has no netem, but a bucket that hardly queues."""
        for namespace, device in self.ends(name):
            tc("-n", namespace, "qdisc", "replace", "dev", device, "root", "tbf", "rate", "150kbit", "burst", "3kb", "limit", "4kb")

    def release(self, name):
        """How many packets were lost there."""
        lost = 0
        for namespace, device in self.ends(name):
            shown = tc("-n", namespace, "-s", "qdisc", "show", "dev", device).stdout
            lost += int(re.search(r"dropped (\d+)", shown).group(1))
            tc("-n", namespace, "qdisc", "delete", "dev", device, "root")
        return lost

    def ends(self, name):
        return (self.of("hub"), name[:15]), (self.of(name), "lan")

    def hears(self, one, other, port):
        """Whether a connection comes about."""
        script = f"import socket; socket.create_connection(('{self.address[other]}', {port}), 1)"
        return subprocess.run([*self.on(one), "python3", "-c", script], capture_output=True).returncode == 0

    def close(self):
        if getattr(self, "links", None):
            self.links.close()
        for namespace in reversed(self.made):
            ip("netns", "delete", namespace, check=False)
