"""`orgsweep serve`: schedules, two coordinators, orders from elsewhere, stops and reloads."""
import json
import pathlib
import signal
import socket
import subprocess
import time

from common import ORGSWEEP, Simulator, Suite, check_report, orgsweep, stable, sweep, wait_for
from fleet import Fleet
from peers import Redis, StoreClock
from running import SIZE, expected, slow

suite = Suite()


class Serve:
    """A coordinator as a service."""

    def __init__(self, place, simulator, fleet, name="serve", coordinator=0, sweeps="{every: 30s}", more="", keys=True):
        self.place, self.reports = place, place.path / "reports"
        self.reports.mkdir(exist_ok=True)
        self.file = place.path / f"{name}.yaml"
        self.head = (f"store: {fleet.redis.url}\nlisten: {fleet.endpoints[coordinator]}\nreports: {self.reports}\nworkers: 0\n"
                     f"all: true\n{more}" + (f"keys: {fleet.keys}\n" if keys else ""))
        self.configure(f"  nightly: {sweeps}\n")
        self.log = open(place.path / f"{name}.log", "w+")
        state = place.path / f"state-{name}"
        self.process = subprocess.Popen([str(ORGSWEEP), "serve", "--config", str(self.file)], env=simulator.environment(XDG_STATE_HOME=state),
                                        stdout=subprocess.DEVNULL, stderr=self.log, cwd=place.path)
        place.children.append(self.process)

    def configure(self, sweeps):
        self.file.write_text(self.head + "sweeps:\n" + sweeps)

    def said(self):
        return pathlib.Path(self.log.name).read_text()

    def wait(self, words, seconds=40, times=1):
        def said():
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.said()}")
            return self.said().count(words) >= times
        try:
            return wait_for(said, seconds, words)
        except AssertionError:
            raise AssertionError(f"{words} was not said: {self.said()}")

    def report(self):
        files = sorted(self.reports.glob("nightly-*.json"))
        assert files, self.said()
        text = files[-1].read_text()
        assert files[-1].stat().st_mode & 0o777 == 0o600
        report = json.loads(text)
        check_report(report, text)
        return report

    def stop(self, number=signal.SIGTERM, seconds=40):
        self.process.send_signal(number)
        assert self.process.wait(seconds) == 0, self.said()


def status(fleet, *command):
    done = orgsweep(fleet.place, *(command or ("status",)), "--json", "--store", fleet.redis.url, environment=fleet.place.environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@suite.test
def a_scheduled_sweep(place):
    """It begins when it is due, its report has its name, and `status` tells of it all."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    serve = Serve(place, simulator, fleet)
    fleet.worker("one")
    serve.wait("sweep.ended", 60)
    assert stable(serve.report()) == expected(place), serve.said()
    told = wait_for(lambda: (lambda s: s if s["workers"] else None)(status(fleet)), 20, "workers in the status")
    assert told["leader"]["host"] and told["leader"]["term"] > 1.7e12, told
    assert [(s["name"], s["status"]) for s in told["sweeps"]] == [("nightly", "complete")], told
    assert told["sweeps"][0]["planned_jobs"] == told["sweeps"][0]["done_jobs"] > 0, told
    assert [(w["name"], w["state"]) for w in told["workers"]] == [("one", "ready")], told
    assert "leader" not in status(fleet, "sweeps")
    serve.stop()
    assert status(fleet)["leader"] is None


@suite.test
def the_other_takes_over(place):
    """The leader is killed in mid-sweep: the one that stood by goes on with the same sweep within 15 s, and the report is as without."""
    simulator = slow(place, 6000)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Serve(place, simulator, fleet, "first", 0)
    first.wait("serve.leads")
    second = Serve(place, simulator, fleet, "second", 1)
    second.wait("serve.stands-by")
    for name in ("one", "two"):
        fleet.worker(name)
    first.wait("sweep.begun", 60)
    fleet.wait_sealed(3, first)
    before = fleet.epochs()
    killed = time.monotonic()
    first.process.kill()
    second.wait("sweep.resumed", 20)
    assert time.monotonic() - killed < 15.5
    second.wait("sweep.ended", 60)
    assert stable(second.report()) == expected(place), second.said()
    after = fleet.epochs()
    sealed = [job for job, (_, done) in before.items() if done]
    assert sealed and all(before[job] == after[job] for job in sealed), (before, after)
    second.stop()


@suite.test
def a_resumed_sweep_that_can_t_begin_is_tried_again(place):
    """AWS can't be asked who we are at the moment of the take-over: what is in the store is gone on with later."""
    simulator = slow(place, 3000)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Serve(place, simulator, fleet, "first", 0, sweeps="{every: 30m}")
    first.wait("serve.leads")
    fleet.worker("one")
    first.wait("sweep.begun", 60)
    fleet.wait_sealed(3, first)
    simulator.ask("faults", "POST", {"operation": "sts:GetCallerIdentity", "kind": "denied-identity-explicit", "times": 1})
    first.process.kill()
    second = Serve(place, simulator, fleet, "second", 1, sweeps="{every: 30m}")
    second.wait("sweep.failed", 30)
    second.wait("sweep.resumed", 30, times=2)
    second.wait("sweep.ended", 60)
    assert stable(second.report()) == expected(place), second.said()
    second.stop()


@suite.test
def a_leader_killed_before_it_has_written_the_report(place):
    """The sweep is finished in the store; whoever leads next writes its report."""
    simulator = slow(place, 500)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Serve(place, simulator, fleet, "first", 0, sweeps="{every: 30m}")  # the first run begins at once
    fleet.worker("one")
    key = f"swp:{wait_for(lambda: fleet.redis.ask('ZRANGE', 'swp:index', 0, -1).decode().split(), 60, 'a sweep')[-1]}:sweep"
    script = "return redis.call('HGET', KEYS[1], 'state') or ''"
    with socket.socket(socket.AF_UNIX) as redis:  # at once: a program started for each question would come too late
        redis.connect(str(fleet.redis.socket))
        answer = b""
        while b"finished" not in answer:
            redis.sendall(f"EVAL \"{script}\" 1 {key}\r\n".encode())
            answer = redis.recv(4096)
    first.process.kill()
    first.process.wait()
    had_one = bool(list(first.reports.glob("*.json")))  # on a fast machine it may have come to it
    second = Serve(place, simulator, fleet, "second", 1, sweeps="{every: 30m}")
    if not had_one:
        second.wait("sweep.reported", 30)
    else:
        second.wait("serve.leads")
    assert stable(second.report()) == expected(place), second.said()
    second.stop()
    third = Serve(place, simulator, fleet, "third", 0, sweeps="{every: 30m}")
    third.wait("serve.leads")
    third.stop()
    assert "sweep.reported" not in third.said(), "once"


def two_under_way(place, redis=None):
    """A sweep that is under way, and two coordinators."""
    simulator = slow(place, 5000)
    fleet = Fleet(place, simulator, coordinators=2, redis=redis)
    first = Serve(place, simulator, fleet, "first", 0)
    first.wait("serve.leads")
    second = Serve(place, simulator, fleet, "second", 1)
    second.wait("serve.stands-by")
    fleet.worker("one")
    first.wait("sweep.begun", 60)
    fleet.wait_sealed(1, first)
    return fleet, first, second


@suite.test
def a_leader_that_was_stopped_is_deposed(place):
    """SIGSTOP past its lease: when it wakes it stands by, has no sweep, and the other's goes on."""
    fleet, first, second = two_under_way(place)
    first.process.send_signal(signal.SIGSTOP)
    second.wait("serve.leads", 15.5)
    first.process.send_signal(signal.SIGCONT)
    first.wait("serve.deposed", 20)
    first.wait("serve.stands-by")
    second.wait("sweep.ended", 60)
    assert stable(second.report()) == expected(place), second.said()
    second.stop()
    first.wait("serve.leads", 15, times=2)
    first.stop()


def two_and_a_clock(place):
    """The same, and the clock of their Redis."""
    clock = StoreClock(place)
    fleet, first, second = two_under_way(place, Redis(place, prefix=clock.prefix))
    return fleet, clock, first, second


def goes_over(place, fleet, first, second):
    """The second one ends the sweep, within the time that a take-over may take; the first one stands by."""
    began = time.monotonic()
    second.wait("sweep.resumed", 15.5)
    second.wait("job.adopted", 18 - (time.monotonic() - began))  # its sweep is not waited for once more
    first.process.send_signal(signal.SIGCONT)
    first.wait("serve.deposed", 20)
    second.wait("sweep.ended", 60)
    assert stable(second.report()) == expected(place), second.said()
    second.stop()
    first.stop()


@suite.test
def the_clock_of_redis_steps_back_while_the_leader_is_silent(place):
    """By that clock its lease, and that on its sweep, would last for another hour."""
    fleet, clock, first, second = two_and_a_clock(place)
    first.process.send_signal(signal.SIGSTOP)
    clock.set(-3600)
    told = status(fleet)
    assert told["leader"] is None and [row["status"] for row in told["sweeps"]] == ["resumable"], told
    goes_over(place, fleet, first, second)


@suite.test
def the_clock_of_redis_steps_forward_while_the_leader_is_well(place):
    """Its lease seems to have ended: the one that stands by takes over, and nothing is lost."""
    fleet, clock, first, second = two_and_a_clock(place)
    clock.set(3600)
    goes_over(place, fleet, first, second)


@suite.test
def stopped_and_started_again(place):
    """SIGTERM: running jobs finish, nothing new is given out, and the next start goes on with the same sweep."""
    simulator = slow(place, 3000)
    fleet = Fleet(place, simulator)
    serve = Serve(place, simulator, fleet, sweeps="{every: 30s}")
    fleet.worker("one")
    serve.wait("sweep.begun", 60)
    fleet.wait_sealed(3, serve)
    serve.stop()
    assert [s["status"] for s in status(fleet)["sweeps"]] == ["resumable"]
    before = fleet.epochs()
    again = Serve(place, simulator, fleet, "again")
    again.wait("sweep.resumed", 20)
    again.wait("sweep.ended", 60)
    assert stable(again.report()) == expected(place), again.said()
    after = fleet.epochs()
    assert all(after[job] == row for job, row in before.items() if row[1]), "what was sealed is not done again"
    again.stop()


@suite.test
def orders(place):
    """A sweep is cancelled, a worker drained, from another command line."""
    simulator = slow(place, 9000)
    fleet = Fleet(place, simulator)
    serve = Serve(place, simulator, fleet)
    one = fleet.worker("one")
    fleet.worker("two")
    serve.wait("sweep.begun", 60)
    wait_for(lambda: len(status(fleet)["workers"]) == 2, 20, "both workers in the status")
    environment = place.environment()
    wrong = orgsweep(place, "drain", "oen", "--store", fleet.redis.url, environment=environment)
    assert wrong.returncode == 2 and "did you mean one?" in wrong.stderr, wrong.stderr
    assert orgsweep(place, "drain", "one", "--store", fleet.redis.url, environment=environment).returncode == 0
    serve.wait("worker.draining")
    done = orgsweep(place, "cancel", "latest", "--store", fleet.redis.url, environment=environment)
    assert done.returncode == 0, done.stderr + serve.said()
    serve.wait("sweep.ended", 30)
    assert one.wait(30) == 0, "a drained worker leaves"
    assert serve.report()["sweep"]["status"] == "cancelled"
    nothing = orgsweep(place, "cancel", "latest", "--store", fleet.redis.url, environment=environment)
    assert nothing.returncode == 2, nothing.stderr
    wait_for(lambda: fleet.redis.ask("HLEN", "swp:drains").strip() == b"0", 20, "the order to drain is forgotten")
    serve.stop()


@suite.test
def several_at_once(place):
    """Two sweeps of one service share its workers; never are both in the same account and region."""
    simulator = slow(place, 1500)
    fleet = Fleet(place, simulator)
    serve = Serve(place, simulator, fleet, "two", sweeps="{every: 1h}\n  hourly: {every: 1h, max_share: 20%, output: [json]}")
    fleet.worker("one")
    serve.wait("sweep.ended", 90, times=2)
    assert stable(serve.report()) == expected(place), serve.said()
    text, = list(serve.reports.glob("hourly-*.json"))
    assert stable(json.loads(text.read_text())) == expected(place), serve.said()
    assert sorted(s["name"] for s in status(fleet)["sweeps"]) == ["hourly", "nightly"]
    assert fleet.redis.ask("KEYS", "swp:lock:*").strip() == b"", "locks go with the seal"
    serve.stop()


@suite.test
def reloads(place):
    """SIGHUP: another schedule counts from then on; a broken file changes nothing, and says why."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    serve = Serve(place, simulator, fleet, sweeps='{schedule: "0 0 1 1 *"}')
    fleet.worker("one")
    serve.wait("serve.leads")
    serve.configure("  nightly: {schedul: x}\n")
    serve.process.send_signal(signal.SIGHUP)
    serve.wait("did you mean schedule?")
    serve.configure("  hourly: {every: 30s, regions: [us-east-1]}\n")
    serve.process.send_signal(signal.SIGHUP)
    serve.wait("serve.reloaded")
    serve.wait("sweep.ended", 60)
    assert list(serve.reports.glob("hourly-*.json")), serve.said()
    serve.stop()


@suite.test
def keys_where_they_are_by_default(place):
    """`keys` in the state folder, as with `orgsweep sweep` and `orgsweep keys`."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    default = place.path / "state-serve" / "orgsweep" / "keys"
    default.parent.mkdir(parents=True, mode=0o700)
    fleet.keys = fleet.keys.rename(default)
    serve = Serve(place, simulator, fleet, keys=False)
    fleet.worker("one")
    serve.wait("sweep.ended", 60)
    assert serve.report()["sweep"]["status"] == "complete"
    serve.stop()


@suite.test
def bad_configurations(place):
    """Each is exit 2 before anything runs, and names what is wrong."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    for text, words in (("", "no sweep is configured"), ("sweeps: {a: {}}", "a:"), ("sweeps: {a: {every: 1s}}", "a:"),
                        ("sweeps: {a: {schedule: '0 25 * * *'}}", "a:"), ("sweeps: {a: {every: 1h, timezone: Europe/Berlin}}", "timezone"),
                        ("sweeps: {a: {schedule: '@daily', timezone: Europe/Berln}}", "Europe/Berlin"),
                        ("sweeps: {a: {every: 1h, max_share: 150%}}", "max_share"), ("sweeps: {a: {every: 1h, output: [pdf]}}", "pdf"),
                        ("sweeps: {a: {every: 1h, store: x}}", "whole service"), ("sweeps: {a: {every: 1h, regionss: x}}", "did you mean regions?"),
                        ("sweeps: {'a b': {every: 1h}}", "letters"), ("sweeps: {a: {every: 1h, checks: [nosuch]}}", "nosuch"),
                        ("sweeps: {a: {every: 1h}}\nworkers: 0", "listen"), ("sweeps: {a: {every: 1h}}\nreports: /nonexistent", "reports")):
        file = place.path / "bad.yaml"
        file.write_text(f"store: {fleet.redis.url}\n{text}\n")
        done = orgsweep(place, "serve", "--config", file, environment=simulator.environment(), timeout=20)
        assert done.returncode == 2 and words in done.stderr, (text, done.returncode, done.stderr)
    done = orgsweep(place, "serve", environment=simulator.environment(), timeout=20)
    assert done.returncode == 2 and "--config" in done.stderr, done.stderr


if __name__ == "__main__":
    suite.main(at_once=3)
