"""What is injected really happens: packets are lost, the clock of Redis steps, a kill lands while accounts are listed or roles assumed."""
import contextlib
import json
import secrets
import socket
import struct
import threading
import time

import chaos
import faults
import holds
from common import Suite, wait_for
from links import Link, Links
from peers import Redis, StoreClock
from world import PHASES, World

suite = Suite()
TCP_INFO, TOTAL_RETRANSMITS = 11, 100  # where in struct tcp_info tcpi_total_retrans stands


def echo(listener):
    with contextlib.suppress(OSError):
        while True:
            one, _ = listener.accept()
            threading.Thread(target=lambda: [one.sendall(piece) for piece in iter(lambda: one.recv(65536), b"")], daemon=True).start()


@suite.test
def packets_are_lost(place):
    """Whatever is said arrives all the same, as TCP sends it again, in both directions."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(listener,), daemon=True).start()
    links = Links()
    link = Link(links, listener.getsockname()[1])
    with contextlib.closing(links), socket.create_connection(("127.0.0.1", link.port)) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        again = lambda: struct.unpack_from("=I", one.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256), TOTAL_RETRANSMITS)[0]

        def talk(times):
            for _ in range(times):
                said, heard = secrets.token_bytes(100), b""
                one.sendall(said)
                while len(heard) < len(said):
                    heard += one.recv(65536)
                assert heard == said
        talk(50)
        assert again() == 0, "an open link loses nothing"
        link.set("very lossy")
        talk(12)
        assert again() > 0
        link.set("open")
        before = again()
        talk(50)
        assert again() == before
    listener.close()


@suite.test
def a_lossy_link_loses_in_both_directions(place):
    """Its own count, by which the table of a run is made."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(listener,), daemon=True).start()
    links = Links()
    link = Link(links, listener.getsockname()[1])
    with contextlib.closing(links):
        link.set("lossy")
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", link.port)) as one:
                for _ in range(20):
                    one.sendall(b"x")
                    assert one.recv(1) == b"x"
        wait_for(lambda: not link.transports, 10, "everything is closed")
        assert 20 < link.packets_lost() < 300, link.packets_lost()
    listener.close()


@suite.test
def the_clock_of_redis_steps(place):
    clock = StoreClock(place)
    redis = Redis(place, prefix=clock.prefix)
    now = lambda: int(redis.ask("EVAL", "return redis.call('TIME')[1]", 0))
    for seconds in (0, -3600, 86400, -1.5, 0):
        clock.set(seconds)
        wait_for(lambda: abs(now() - time.time() - seconds) < 2.5, 5, f"{seconds} s")
    redis.ask("SET", "x", 1, "EX", 3600)
    clock.set(7200)
    wait_for(lambda: redis.ask("EXISTS", "x").strip() == b"0", 5, "a key expires by that clock")
    redis.kill()
    redis.start()
    assert abs(now() - time.time() - 7200) < 2.5, "also of one that is started again"


def killed_while(place, phase, form):
    """The sweep is gone on with from the accounts that were known, and its report is that of a quiet run."""
    truth, jobs = chaos.quiet_run()
    fault = next(fault for fault in faults.FAULTS if phase in fault.name)
    with contextlib.closing(World(place, form, 1000, fault.needs, dict([fault.slow]))) as world:
        world.start()
        world.do("kill-coordinator-while", phase, 0.7)
        assert world.landed == {phase: 1}, world.told
        dead = [slot for slot in world.coordinators if slot.killed]
        assert len(dead) == 1 and not world.row().get("ended_at_ms"), world.told
        world.do("start-coordinators")
        world.do("aws-heals", fault.slow[0])
        text = chaos.wait_for_report(world, time.monotonic() + 90)
        logs = holds.logs(world)
        assert form == "sweep" or "sweep.resumed" in "".join(logs.values()), logs
        assert form == "serve" or dead[0].resumed or world.coordinators[1].resumed
        problems = [*world.unexpected, *holds.stop_all(world), *holds.same_report(holds.read_report(world, text), truth),
                    *holds.jobs_hold(world, jobs, {}), *holds.no_locks(world), *holds.left_over(world)]
        assert not problems, "\n".join([*problems, *world.told, json.dumps(logs)])


LISTED, ASSUMED = PHASES


@suite.test
def a_sweep_killed_while_accounts_are_listed(place):
    killed_while(place, LISTED, "sweep")


@suite.test
def a_service_killed_while_accounts_are_listed(place):
    killed_while(place, LISTED, "serve")


@suite.test
def a_sweep_killed_while_roles_are_assumed(place):
    killed_while(place, ASSUMED, "sweep")


@suite.test
def a_service_killed_while_roles_are_assumed(place):
    killed_while(place, ASSUMED, "serve")


if __name__ == "__main__":
    suite.main(at_once=3)
