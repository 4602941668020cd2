"""Coordinators, Redis (a primary, its replica, three sentinels) and workers on hosts of their own, which are network namespaces: each link
between them is cut in the middle of a sweep, without a word as when packets are lost, and healed after longer than every lease. The sweep goes
on, and its report is as without."""
import contextlib
import functools
import subprocess
import time

import chaos
import holds
from common import Suite, wait_for
from hosts import Hosts
from peers import Redis
from stores import Group
from world import PASSWORD, WORKERS, World

suite = Suite()
COORDINATORS = ("coordinator-0", "coordinator-1")
STORES = ("store-0", "store-1")
SENTINELS = (*COORDINATORS, "worker-one")
NAMES = (*COORDINATORS, *STORES, *(f"worker-{name}" for name in WORKERS))
REDIS_PORT, SENTINEL_PORT, PORT = 6379, 26379, 7717
CUT_SECONDS = 17  # a worker's lease is 15 s, a coordinator's 10
SLOW_MS = 7000  # of each description: the sweep is under way all the time


class Sentinel:
    def __init__(self, place, hosts, host):
        self.prefix, self.address = hosts.on(host), hosts.address[host]
        folder = place.path / f"sentinel-{host}"
        folder.mkdir()
        (folder / "sentinel.conf").write_text(
            f"bind {self.address}\nport {SENTINEL_PORT}\ndir {folder}\nprotected-mode no\n"
            f"sentinel monitor orgsweep {hosts.address['store-0']} {REDIS_PORT} 2\nsentinel auth-pass orgsweep {PASSWORD}\n"
            "sentinel down-after-milliseconds orgsweep 2000\nsentinel failover-timeout orgsweep 8000\n")
        process = subprocess.Popen([*self.prefix, "redis-server", str(folder / "sentinel.conf"), "--sentinel"], stdout=subprocess.DEVNULL,
                                   env=place.environment())
        place.children.append(process)

    def ask(self, *words):
        return subprocess.run([*self.prefix, "redis-cli", "-h", self.address, "-p", str(SENTINEL_PORT), *words], capture_output=True, text=True,
                              timeout=5).stdout.strip()

    def knows_all(self):
        try:
            return Group.knows_all(self)
        except (KeyError, subprocess.TimeoutExpired):
            return False


class HostWorld(World):
    """The same processes, each on its own host. The clock of Redis, where it is needed, is the replica's: an hour behind."""

    def make_redis(self):
        self.hosts = Hosts(NAMES, self.simulator.ready["port"])
        first, second = (self.hosts.address[name] for name in STORES)
        common = ("--port", str(REDIS_PORT), "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")
        primary = Redis(self.place, *common, "--bind", first, password=PASSWORD, prefix=self.hosts.on("store-0"))
        if self.store_clock:
            self.store_clock.set(-3600)
        self.replica = Redis(self.place, *common, "--bind", second, "--replicaof", first, str(REDIS_PORT), folder=self.place.path / "replica",
                             password=PASSWORD, prefix=[*self.hosts.on("store-1"), *(self.store_clock.prefix if self.store_clock else ())])
        wait_for(lambda: b"master_link_status:up" in self.replica.ask("INFO", "replication"), 20, "replication")
        sentinels = [Sentinel(self.place, self.hosts, host) for host in SENTINELS]
        wait_for(lambda: all(sentinel.knows_all() for sentinel in sentinels), 40, "sentinels that know each other and the replica")
        return primary

    def connect(self):
        self.link = {}

    def prefix(self, who):
        return self.hosts.on(who)

    def store_of(self, who):
        return "sentinel://" + ",".join(f"{self.hosts.address[host]}:{SENTINEL_PORT}" for host in SENTINELS) + "/orgsweep"

    def endpoints_of(self, worker):
        return [self.listen_of(number) for number in (0, 1)]

    def listen_of(self, number):
        return f"tcp://{self.hosts.address[COORDINATORS[number]]}:{PORT}"

    def close(self):
        self.hosts.close()


@functools.cache
def quiet():
    return chaos.quiet_run()


def said(world, who):
    return (world.place.path / f"{who}.log").read_text()


def leader_of(world):
    """The coordinator that leads, and the other one, by their hosts."""
    leader = wait_for(world.leading_surely, 30, "a leader")
    return COORDINATORS[leader.number], COORDINATORS[1 - leader.number]


def half_done(world):
    """Some jobs are sealed, some are not."""
    seals = [row[2] != "-1" for row in (world.jobs() or {}).values()]
    return any(seals) and not all(seals)


def partition(place, choose, meanwhile=None):
    """`choose(leader, other)`: the two hosts that do not hear each other for a while. `meanwhile(world, leader, other)` is looked at before it ends."""
    truth, jobs = quiet()
    with contextlib.closing(HostWorld(place, "serve", SLOW_MS)) as world:
        world.start()
        wait_for(lambda: half_done(world), 60, "the middle of the sweep")
        leader, other = leader_of(world)
        one, two = choose(leader, other)
        before = {}
        chaos.note_sealed(world, before)
        began = time.monotonic()
        world.hosts.cut(one, two)
        try:
            if meanwhile:
                meanwhile(world, leader, other)
            time.sleep(max(0, began + CUT_SECONDS - time.monotonic()))
            chaos.note_sealed(world, before)
            world.hosts.heal(one, two)
            text = chaos.wait_for_report(world, time.monotonic() + 120)
            problems = [*world.unexpected, *holds.stop_all(world), *holds.same_report(holds.read_report(world, text), truth),
                        *holds.jobs_hold(world, jobs, before), *holds.no_locks(world), *holds.left_over(world), *holds.no_secrets(world)]
            assert not problems, "\n".join(problems)
            return world, leader, other
        except AssertionError as why:
            raise AssertionError("\n".join([str(why), *(f"--- {name}\n{text}" for name, text in holds.logs(world).items())])) from None


def takes_over(world, leader, other):
    wait_for(lambda: "serve.leads" in said(world, other), 15.5, f"{other} leads")


@suite.test
def leader_and_redis(place):
    """The other coordinator leads within 15 s and goes on with the sweep; the one that was cut off stands by when it is back."""
    world, leader, other = partition(place, lambda leader, other: (leader, "store-0"), takes_over)
    assert "sweep.resumed" in said(world, other) and "serve.deposed" in said(world, leader), said(world, leader) + said(world, other)


@suite.test
def worker_and_redis(place):
    """It keeps what it has done until it can commit it."""
    partition(place, lambda leader, other: ("worker-one", "store-0"))


@suite.test
def worker_and_leader(place):
    """Its jobs are the other worker's once its lease has ended; what it still commits counts or does not, never both."""
    world, leader, _ = partition(place, lambda leader, other: ("worker-one", leader))
    assert "serve.deposed" not in said(world, leader)


@suite.test
def coordinator_and_coordinator(place):
    """They meet in Redis alone: nobody notices."""
    world, leader, other = partition(place, lambda leader, other: (leader, other))
    assert "serve.leads" not in said(world, other) and "serve.deposed" not in said(world, leader), said(world, other)


def follows(redis):
    try:
        return b"role:slave" in redis.ask("INFO", "replication")
    except subprocess.CalledProcessError:  # it ends its connections at the moment when it begins to follow
        return False


def fail_over(place, needs, choose, meanwhile):
    """`choose(leader)`: hosts that nobody hears for a while, the primary among them. `meanwhile(world, other)` is looked at when there is another one."""
    truth, jobs = quiet()
    with contextlib.closing(HostWorld(place, "serve", SLOW_MS, needs)) as world:
        world.start()
        wait_for(lambda: half_done(world), 60, "the middle of the sweep")
        leader, other = leader_of(world)
        away = choose(leader)
        pairs = [(one, two) for one in away for two in NAMES if one != two]
        assert world.hosts.hears("worker-one", "store-0", REDIS_PORT)
        for pair in pairs:
            world.hosts.cut(*pair)
        assert not world.hosts.hears("worker-one", "store-0", REDIS_PORT), "the cut cuts"
        old, world.redis = world.redis, world.replica
        try:
            wait_for(lambda: b"role:master" in world.redis.ask("INFO", "replication"), 30, "a fail-over")
            began = time.monotonic()
            meanwhile(world, other)
            time.sleep(max(0, began + CUT_SECONDS - time.monotonic()))
            for pair in pairs:
                world.hosts.heal(*pair)
            text = chaos.wait_for_report(world, time.monotonic() + 120)
            wait_for(lambda: follows(old), 40, "the old primary follows")
            problems = [*world.unexpected, *holds.stop_all(world), *holds.same_report(holds.read_report(world, text), truth),
                        *holds.jobs_hold(world, jobs, {}), *holds.no_locks(world), *holds.left_over(world), *holds.no_secrets(world)]
            assert not problems, "\n".join(problems)
        except AssertionError as why:
            raise AssertionError("\n".join([str(why), *(f"--- {name}\n{text}" for name, text in holds.logs(world).items())])) from None


@suite.test
def primary_and_everybody(place):
    """The sentinels make the replica the primary, and the sweep goes on there; the old one follows it when it is back."""
    fail_over(place, frozenset(), lambda leader: ["store-0"], lambda world, other: None)


@suite.test
def primary_and_leader_and_a_replica_whose_clock_is_behind(place):
    """By that clock the lease of the leader, who is away too, has another hour to go."""
    def takes_over_there(world, other):
        wait_for(lambda: "sweep.resumed" in said(world, other), 20, f"{other} goes on")
    fail_over(place, frozenset({"clock of Redis"}), lambda leader: ["store-0", leader], takes_over_there)


@suite.test
def all_links_lose_packets(place):
    """Those of coordinators and workers, for longer than every lease. The sentinels, who sit there too, may well choose another primary."""
    truth, jobs = quiet()
    with contextlib.closing(HostWorld(place, "serve", 2000)) as world:
        world.start()
        wait_for(lambda: half_done(world), 60, "the middle of the sweep")
        squeezed = [name for name in NAMES if name not in STORES]
        for name in squeezed:
            world.hosts.squeeze(name)
        time.sleep(CUT_SECONDS)
        lost = {name: world.hosts.release(name) for name in squeezed}
        try:
            assert sum(lost.values()) > 20, lost
            text = chaos.wait_for_report(world, time.monotonic() + 120)
            world.redis = wait_for(lambda: next((redis for redis in (world.redis, world.replica) if b"role:master" in redis.ask("INFO", "replication")), None),
                                   20, "a primary")
            problems = [*world.unexpected, *holds.stop_all(world), *holds.same_report(holds.read_report(world, text), truth),
                        *holds.jobs_hold(world, jobs, {}), *holds.no_locks(world), *holds.left_over(world)]
            assert not problems, "\n".join(problems)
        except AssertionError as why:
            raise AssertionError("\n".join([str(why), str(lost), *(f"--- {name}\n{text}" for name, text in holds.logs(world).items())])) from None


if __name__ == "__main__":
    suite.main(at_once=3)
