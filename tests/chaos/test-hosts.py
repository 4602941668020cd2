"""Coordinators, Redis and workers on hosts of their own (network namespaces): each link between them is cut in the middle of a sweep, without
a word as when packets are lost, and healed after longer than every lease. The sweep goes on, and its report is as without."""
import contextlib
import functools
import time

import chaos
import holds
from common import Suite, wait_for
from hosts import Hosts
from peers import Redis
from world import PASSWORD, WORKERS, World

suite = Suite()
COORDINATORS = ("coordinator-0", "coordinator-1")
NAMES = (*COORDINATORS, "store-0", *(f"worker-{name}" for name in WORKERS))
REDIS_PORT, PORT = 6379, 7717
CUT_SECONDS = 17  # a worker's lease is 15 s, a coordinator's 10
SLOW_MS = 7000  # of each description: the sweep is under way all the time


class HostWorld(World):
    """The same processes, each on its own host."""

    def make_redis(self):
        self.hosts = Hosts(NAMES, self.simulator.ready["port"])
        address = self.hosts.address["store-0"]
        return Redis(self.place, "--port", str(REDIS_PORT), "--bind", address, password=PASSWORD, prefix=self.hosts.on("store-0"))

    def connect(self):
        self.link = {}

    def prefix(self, who):
        return self.hosts.on(who)

    def store_of(self, who):
        return f"redis://{self.hosts.address['store-0']}:{REDIS_PORT}"

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


@suite.test
def redis_and_everybody(place):
    """The store's host is off the network."""
    truth, jobs = quiet()
    with contextlib.closing(HostWorld(place, "serve", SLOW_MS)) as world:
        world.start()
        wait_for(lambda: half_done(world), 60, "the middle of the sweep")
        others = [name for name in NAMES if name != "store-0"]
        for name in others:
            world.hosts.cut("store-0", name)
        assert not world.hosts.hears("worker-one", "store-0", REDIS_PORT), "the cut cuts"
        time.sleep(CUT_SECONDS)
        for name in others:
            world.hosts.heal("store-0", name)
        text = chaos.wait_for_report(world, time.monotonic() + 120)
        problems = [*holds.stop_all(world), *holds.same_report(holds.read_report(world, text), truth), *holds.jobs_hold(world, jobs, {}),
                    *holds.left_over(world)]
        assert not problems, "\n".join(problems)


if __name__ == "__main__":
    suite.main(at_once=3)
