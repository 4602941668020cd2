"""Strangers at the coordinator's port: each is refused, told and counted, and the sweep says what it says without them.

Of the coordinator's memory: a sweep of this size peaks below PLAIN_KIB; no stranger here may add more than ADDED_KIB."""
import contextlib
import random
import re
import socket
import threading
import time
import urllib.request

import listener
from listener import Dealer, Fleet, Relay, hello, message
from common import Suite, wait_for
from peers import curve_keys, free_port, zmtp_greeting

PLAIN_KIB = 24 << 10
ADDED_KIB = 24 << 10
SLOW = ("--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:300")

suite = Suite()


def below_the_bound(coordinator):
    coordinator.peak = coordinator.peak_kib()
    assert coordinator.peak < PLAIN_KIB + ADDED_KIB, f"the coordinator took {coordinator.peak} KiB"


@contextlib.contextmanager
def again_and_again(action, pause=0.05):
    """In the background until the block ends; what it raises is raised there."""
    over, failures = threading.Event(), []

    def run():
        while not over.wait(pause):
            try:
                action()
            except OSError:
                pass  # refused or cut off, as it is to be
            except Exception as failure:
                failures.append(failure)
                return
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)
    assert not failures, failures


def honest_work(coordinator, timeout=120):
    """The honest worker does all jobs beside whatever else goes on."""
    coordinator.worker("honest")
    coordinator.wait_event("worker.ready", worker="honest")
    end = time.monotonic() + timeout
    while coordinator.process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            coordinator.peak = max(coordinator.peak, coordinator.peak_kib())
        time.sleep(0.02)
    assert coordinator.peak < PLAIN_KIB + ADDED_KIB, f"the coordinator took {coordinator.peak} KiB"
    return told(coordinator, coordinator.expect_truth(10))


def told(coordinator, counts):
    print(f"     peak {coordinator.peak} KiB; " + ", ".join(f"{key} {counts[key]}" for key in listener.COUNTERS if counts.get(key)), flush=True)
    return counts


def knock(port, pieces, patience=1.0):
    """Sends the pieces to the port, and reads until it is closed or nothing has come for so long. What came."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.settimeout(patience)
        try:
            for piece in pieces:
                stranger.sendall(piece)
            while True:
                piece = stranger.recv(65536)
                if not piece:
                    break
                heard += piece
        except OSError:
            pass
    return heard


@suite.test
def nobody(place):
    """The measure: nothing is counted where nobody comes."""
    coordinator = Fleet(place, *SLOW)
    counts = honest_work(coordinator)
    assert not any(counts.get(key) for key in listener.COUNTERS), counts
    assert coordinator.peak < PLAIN_KIB, f"{coordinator.peak} KiB"


@suite.test
def an_unknown_key(place):
    port = free_port()
    coordinator = Fleet(place, *SLOW, arguments=("--metrics", f"127.0.0.1:{port}"))
    pairs = [curve_keys() for _ in range(30)]
    dealers = [Dealer(coordinator, pair) for pair in pairs]
    coordinator.wait_event("worker.refused", count=16)
    assert {row["public_key"] for row in coordinator.events("worker.refused")} <= {public for public, _ in pairs}
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        exposed = answer.read().decode()
    assert int(re.search(r'^orgsweep_strangers_refused_total\{reason="refused_keys"\} (\d+)$', exposed, re.M).group(1)) >= 16, exposed
    counts = honest_work(coordinator)
    for dealer in dealers:
        with dealer:
            with contextlib.suppress(AssertionError):
                dealer.say(b"x", seconds=0)
            assert dealer.hear(0) is None
    assert counts["refused_keys"] >= 30 and counts["broken_handshakes"] == 0, counts
    assert len(coordinator.events("worker.refused")) <= 17, "strangers fill the log"


@suite.test
def a_peer_in_plain_text(place):
    coordinator = Fleet(place, *SLOW)
    with Dealer(coordinator, None) as plain:
        plain.socket.send(hello("honest", 16))
        coordinator.wait_event("stranger.handshake")
        assert coordinator.events("stranger.handshake")[0]["address"].startswith("127.0.0.1:")
        counts = honest_work(coordinator)
        assert plain.hear(0) is None
    assert counts["broken_handshakes"] >= 1, counts


@suite.test
def random_bytes(place):
    coordinator = Fleet(place, *SLOW)
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"     seed {seed}", flush=True)
    dice = random.Random(seed)
    curve = zmtp_greeting(b"CURVE")

    def noise():
        start = dice.choice((b"", b"\xff", curve[:10], curve[:11] + b"\x01", curve, curve + b"\x04\x40\x05HELLO"))
        knock(coordinator.port, [start, dice.randbytes(dice.choice((1, 60, 200, 4096, 100000)))], patience=0.2)
    with again_and_again(noise, pause=0.01):
        coordinator.wait_event("stranger.handshake")
        counts = honest_work(coordinator)
    assert counts["broken_handshakes"] >= 5, counts
    assert len(coordinator.events("stranger.handshake")) <= 17, "strangers fill the log"


@suite.test
def an_old_recording(place):
    """The bytes of a whole honest session, said again."""
    coordinator = Fleet(place, *SLOW, allowed=("honest", "recorded"))
    with Relay(coordinator.port) as relay:
        worker = coordinator.worker("recorded", "--credits", 1, endpoint=relay.endpoint)
        coordinator.wait_event("worker.ready", worker="recorded")
        time.sleep(1.5)  # heartbeats, and jobs that are done
        worker.terminate()
        worker.wait(40)
        recording = bytes(relay.up)
    coordinator.wait_event("worker.gone", worker="recorded")
    assert len(recording) > 1000
    ready = len(coordinator.events("worker.ready"))
    cuts = sorted(random.Random(7).sample(range(64, len(recording)), 5))

    def replay():
        knock(coordinator.port, [recording], patience=0.3)
        for cut in cuts:
            knock(coordinator.port, [recording[:cut], recording[cut:]], patience=0.1)
    with again_and_again(replay):
        coordinator.wait_event("stranger.handshake")
        counts = honest_work(coordinator)
    assert counts["broken_handshakes"] >= 3, counts
    assert [row["worker"] for row in coordinator.events("worker.ready")[ready:]] == ["honest"]


@suite.test
def the_name_of_another(place):
    """A key of its own, allowed, and another worker's name."""
    coordinator = Fleet(place, *SLOW, allowed=("honest", "liar"))
    keys = coordinator.public("liar"), coordinator.secret("liar")

    def lie():
        with Dealer(coordinator, keys) as liar:
            liar.say(hello("honest", 64))
            assert liar.hear(0.5) is None, "it was welcomed"
    with again_and_again(lie):
        coordinator.wait_event("worker.false-name", worker="liar", detail="honest")
        counts = honest_work(coordinator)
    assert counts["false_names"] >= 1, counts
    assert {row["worker"] for row in coordinator.events("worker.ready")} == {"honest"}


def two_gibibytes(command):
    """A frame's head that announces them (ZMTP 3.1: flags, eight bytes of length), and then they come."""
    yield bytes([0x06 if command else 0x02]) + (2 << 30).to_bytes(8, "big")
    for _ in range(2048):
        yield bytes(1 << 20)


@suite.test
def two_gibibytes_from_a_stranger(place):
    coordinator = Fleet(place, *SLOW)

    def flood():
        for command in (True, False):
            knock(coordinator.port, [zmtp_greeting(b"CURVE"), *two_gibibytes(command)], patience=0.5)
    with again_and_again(flood):
        coordinator.wait_event("stranger.handshake")
        counts = honest_work(coordinator)
    assert counts["broken_handshakes"] >= 1, counts


@suite.test
def two_gibibytes_from_a_worker(place):
    """Behind an honest handshake and greeting: it does not even get to send them."""
    coordinator = Fleet(place, *SLOW, allowed=("honest", "large"))
    with Relay(coordinator.port) as relay, Dealer(coordinator, (coordinator.public("large"), coordinator.secret("large")), relay.endpoint) as large:
        large.say(hello("large"))
        coordinator.wait_event("worker.ready", worker="large")
        sent = relay.inject(two_gibibytes(False))
        assert sent < 64 << 20, f"{sent} bytes were taken"
        coordinator.wait_event("worker.broke-off", worker="large")
        counts = honest_work(coordinator)
    assert counts["broke_off"] >= 1, counts


@suite.test
def a_thousand_half_open_connections(place):
    """Twelve hundred that say nothing, or only hello: the oldest go, the others after ten seconds, and a worker gets in at once."""
    coordinator = Fleet(place, "--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:6000")
    before = coordinator.descriptors()
    with contextlib.ExitStack() as stack:
        for number in range(1200):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", coordinator.port)))
            if number % 2:
                half.sendall(zmtp_greeting(b"CURVE"))
            if number % 50 == 0:
                time.sleep(0.01)
        coordinator.wait_event("stranger.turned-away")
        assert coordinator.descriptors() > before + 900
        start = time.monotonic()
        worker = coordinator.worker("honest")
        coordinator.wait_event("worker.ready", worker="honest")
        assert time.monotonic() - start < 5, "the honest worker had to wait"
        coordinator.wait_event("stranger.half-open", seconds=20)
        wait_for(lambda: coordinator.process.poll() is not None or coordinator.descriptors() < before + 50, 20, "the half-open ones are gone")
        assert coordinator.process.poll() is None, "the sweep ended before: it has to be slower"
        below_the_bound(coordinator)
        counts = told(coordinator, coordinator.expect_truth())
    assert counts["half_open"] >= 1000 and counts["turned_away"] >= 150, counts
    assert worker.poll() is None


@suite.test
def a_worker_that_never_reads(place):
    """It greets, is given jobs, and reads nothing: its jobs go to others when its lease is over."""
    coordinator = Fleet(place, *SLOW, allowed=("honest", "deaf"))
    with Relay(coordinator.port) as relay, Dealer(coordinator, (coordinator.public("deaf"), coordinator.secret("deaf")), relay.endpoint) as deaf:
        deaf.say(hello("deaf", 8))
        assert deaf.hear() is not None
        relay.deaf = True
        coordinator.wait_event("worker.ready", worker="deaf")
        counts = honest_work(coordinator)
    assert coordinator.events("worker.gone"), "it was never taken for gone"
    assert counts["broke_off"] >= 1, counts


@suite.test
def a_worker_that_asks_and_never_reads(place):
    """What it asks for must not pile up."""
    coordinator = Fleet(place, "--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:3000", allowed=("honest", "deaf"))
    keys = coordinator.public("deaf"), coordinator.secret("deaf")
    with Dealer(coordinator, keys) as curious:
        curious.say(hello("deaf"))
        coordinator.wait_event("worker.ready", worker="deaf")
        catalogue = wait_for(lambda: coordinator.redis.ask("KEYS", "swp:catalogue:*").decode().split(":")[-1].strip(), 5, "a catalogue")
        ask = message("want-catalogue", hash=catalogue)
        for _ in range(200):
            curious.say(ask)
        heard = [len(content) for content in iter(lambda: curious.hear(0.5), None)]
        size, sent = max(heard), heard.count(max(heard))
        assert size > 10000 and 4 <= sent <= 8, heard
    coordinator.wait_event("worker.broke-off", worker="deaf")
    with Dealer(coordinator, keys, unread=True) as deaf:
        deaf.say(hello("deaf"))
        asked = []

        def demand():
            with contextlib.suppress(AssertionError):  # its own queue is full
                while True:
                    deaf.say(ask, seconds=0)
                    asked.append(1)
        with again_and_again(demand):
            honest_work(coordinator)
    assert len(asked) * size > 4 * ADDED_KIB << 10, f"{len(asked)} × {size} bytes were asked for"


@suite.test
def messages_that_are_none(place):
    """From an allowed key: not decodable, in the wrong direction, in several frames. After sixteen it is cut off."""
    coordinator = Fleet(place, *SLOW, allowed=("honest", "odd"))
    keys = coordinator.public("odd"), coordinator.secret("odd")
    dice = random.Random(11)
    kinds = [lambda: dice.randbytes(30), lambda: b"", lambda: message("job", job=1, epoch=1), lambda: message("welcome", protocol=1),
             lambda: message("nonsense"), lambda: b"\xdf\xff\xff\xff\xff", lambda: message("done")]

    def babble():
        with Dealer(coordinator, keys) as odd:
            odd.say(hello("odd", 0))
            for _ in range(40):
                odd.say(dice.choice(kinds)(), seconds=0.5)
            time.sleep(0.2)

    def in_pieces():
        with Dealer(coordinator, keys) as odd:
            odd.say(hello("odd", 0))
            for _ in range(40):
                odd.socket.send_multipart([b"a", b"b"])
            time.sleep(0.2)
    for action in (babble, in_pieces):
        before = len(coordinator.events("worker.forgotten"))
        with contextlib.suppress(AssertionError):
            action()
        coordinator.wait_event("worker.forgotten", count=before + 1, worker="odd")
    assert coordinator.events("worker.violation")

    def go_on():
        with contextlib.suppress(AssertionError):  # cut off in mid-sentence
            babble()
    with again_and_again(go_on):
        counts = honest_work(coordinator)
    assert counts["forgotten"] >= 2 and counts["violations"] >= 34, counts


@suite.test
def one_id_twice(place):
    """Two connections of one key under one ZeroMQ identity: the second one gets nowhere, and does not stay."""
    coordinator = Fleet(place, "--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:10000", allowed=("honest", "twin"))
    keys = coordinator.public("twin"), coordinator.secret("twin")
    with Dealer(coordinator, keys, identity=b"twin-id") as first:
        first.say(hello("twin"))
        assert first.hear() is not None
        with Dealer(coordinator, keys, identity=b"twin-id") as second:
            second.say(hello("twin"))
            assert second.hear(1) is None
            coordinator.worker("honest")
            coordinator.wait_event("stranger.half-open", seconds=25)
            counts = coordinator.expect_truth()
    assert counts["half_open"] >= 1, counts


suite.main(at_once=2)
