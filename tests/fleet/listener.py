"""What tests of a fleet share: a coordinator that listens, workers with keys of their own, and peers that are none of ours."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sweeps"))

import zmq

from common import ORGSWEEP, WORKER, Simulator, check_report, orgsweep, stable, sweep, wait_for
from peers import Redis, free_port

SIZE = ("--seed", 43, "--accounts", 6, "--regions", 4)
truths = []


def expected(place):
    """What an undisturbed sweep of the same organization says."""
    if not truths:
        truths.append(stable(sweep(place, "--all", environment=Simulator(place, *SIZE).environment()).report))
    return truths[0]


class Fleet:
    """A coordinator on TCP that waits for workers; keys are made and allowed by `orgsweep keys`."""

    def __init__(self, place, *simulator_arguments, allowed=("honest",), arguments=()):
        self.place, self.keys_folder, self.port = place, place.path / "keys", free_port()
        self.simulator = Simulator(place, *SIZE, *simulator_arguments)
        self.redis = Redis(place)
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.target, self.peak = place.path / "report.json", 0
        for name in ("server", *allowed):
            self.keys("new", name)
        for name in allowed:
            self.keys("allow", self.keys_folder / f"{name}.pub")
        self.log = open(place.path / "coordinator.log", "w+")
        self.process = subprocess.Popen(
            [str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(self.target), "--listen", self.endpoint, "--keys", str(self.keys_folder),
             "--workers", "0", "--store", self.redis.url, "--log-format", "json", "--log-level", "info", *map(str, arguments)],
            env=self.simulator.environment(), stdout=subprocess.DEVNULL, stderr=self.log, cwd=place.path)
        place.children.append(self.process)
        self.wait_event("worker.waiting", seconds=20)

    def keys(self, *words, check=True):
        done = orgsweep(self.place, "keys", *words, "--keys", self.keys_folder, environment=self.place.environment())
        assert not check or done.returncode == 0, done.stderr
        return done

    def public(self, name):
        return (self.keys_folder / f"{name}.pub").read_text().split('"')[1]

    def secret(self, name):
        return (self.keys_folder / f"{name}.key").read_text().split('"')[3]

    def worker(self, name, *arguments, endpoint=None, log=None):
        environment = {k: v for k, v in self.simulator.environment().items() if not k.startswith("AWS_") or k == "AWS_CA_BUNDLE"}
        path = self.place.path / (log or f"worker-{name}.log")
        process = subprocess.Popen(
            [str(WORKER), "--connect", endpoint or self.endpoint, "--key", str(self.keys_folder / f"{name}.key"), "--server-key",
             str(self.keys_folder / "server.pub"), "--store", self.redis.url, "--log-format", "json", *map(str, arguments)], env=environment, stderr=open(path, "a"))
        process.log_path = path
        self.place.children.append(process)
        return process

    def events(self, name=None):
        return events_of(self.log.name, name)

    def wait_event(self, name, seconds=30, count=1, **fields):
        def found():
            assert self.process.poll() is None, f"the coordinator has ended\n{self.text()}"
            rows = [row for row in self.events(name) if all(row.get(key) == value for key, value in fields.items())]
            return rows if len(rows) >= count else None
        try:
            return wait_for(found, seconds, f"event {name} {fields}")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.text()}") from None

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def peak_kib(self):
        """Peak resident memory of the coordinator so far."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/status").read_text().split("VmHWM:")[1].split()[0])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def finish(self, timeout=120):
        """The report; and its counts of strangers, all of them 0 if it told none."""
        self.process.wait(timeout)
        assert self.target.exists(), self.text()
        report = json.loads(self.target.read_text())
        check_report(report, self.target.read_text())
        told = self.events("fleet.strangers")
        return report, told[-1] if told else {}

    def expect_truth(self, timeout=120):
        truth = expected(self.place)
        report, counts = self.finish(timeout)
        assert stable(report) == truth, self.text()
        return counts


def events_of(path, name=None):
    rows = []
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            row = json.loads(line)
            if name is None or row["event"] == name:
                rows.append(row)
    return rows


# --- messages, packed by hand: this must not make the same mistake as ours ---

def pack(value):
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + value.to_bytes(8, "big")
    if isinstance(value, str):
        return b"\xdb" + len(value.encode()).to_bytes(4, "big") + value.encode()
    if isinstance(value, list):
        return b"\xdd" + len(value).to_bytes(4, "big") + b"".join(map(pack, value))
    return b"\xdf" + len(value).to_bytes(4, "big") + b"".join(pack(key) + pack(item) for key, item in value.items())


def message(kind, **members):
    return pack({"v": 1, "t": kind, **members})


def hello(name, credits=0):
    return message("hello", protocol=1, version="0", name=name, host="elsewhere", pid=1, credits=credits)


# --- peers that are none of ours ---

class Dealer:
    """A ZeroMQ peer with the given key; None: in plain text."""

    def __init__(self, fleet, keys, endpoint=None, identity=None, unread=False):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        if keys:
            self.socket.curve_publickey, self.socket.curve_secretkey = (key.encode() for key in keys)
            self.socket.curve_serverkey = fleet.public("server").encode()
        if identity:
            self.socket.setsockopt(zmq.IDENTITY, identity)
        if unread:
            self.socket.setsockopt(zmq.RCVHWM, 1)
            self.socket.setsockopt(zmq.RCVBUF, 4096)
        self.socket.connect(endpoint or fleet.endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def say(self, content, seconds=5):
        try:
            self.socket.poll(seconds * 1000, zmq.POLLOUT)
            self.socket.send(content, zmq.NOBLOCK)
        except zmq.Again:
            raise AssertionError("it can't be sent") from None

    def hear(self, seconds=5):
        """The next message, or None."""
        return self.socket.recv() if self.socket.poll(seconds * 1000, zmq.POLLIN) else None


class Relay:
    """Stands between a worker and the coordinator: records what goes up, and can put bytes of its own in between."""

    def __init__(self, port):
        self.port, self.up, self.lock = port, bytearray(), threading.Lock()
        self.deaf = False  # nothing more is read from the coordinator
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.close()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            self.pairs.append((near, far))
            threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, one, other, up):
        try:
            while True:
                while not up and self.deaf:
                    time.sleep(0.05)
                piece = one.recv(65536)
                if not piece:
                    break
                if up:
                    self.up += piece
                with self.lock if up else threading.Lock():
                    other.sendall(piece)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def inject(self, pieces):
        """Sends what `pieces` gives until the coordinator has enough: how many bytes went."""
        sent = 0
        with self.lock:
            try:
                for piece in pieces:
                    self.pairs[-1][1].sendall(piece)
                    sent += len(piece)
            except OSError:
                pass
        return sent


COUNTERS = ("refused_keys", "broken_handshakes", "half_open", "turned_away", "broke_off", "false_names", "violations", "forgotten", "revoked",
            "revoked_messages")
