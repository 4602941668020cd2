"""Coordinators and workers of several hosts' kind: one goes on with what another began, and one that was taken over from writes nothing."""
import json
import signal
import subprocess
import time

from common import Simulator, Skipped, Suite, orgsweep, processes_of, stable, sweep, wait_for
from fleet import Fleet
from peers import Redis
from running import SIZE, Running, expected, slow, under_way

suite = Suite()
def same_as_undisturbed(place, report, text):
    assert report, text
    assert stable(report) == expected(place), text


@suite.test
def a_killed_sweep_is_resumed(place):
    """On one machine, with the private store: --resume latest; what is sealed is not done again."""
    truth = expected(place)
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator)
    running.process.kill()
    running.process.wait()
    wait_for(lambda: not [row for row in processes_of(place) if "simulator" not in row[1]], 10, "nothing of it runs")
    status = json.loads(orgsweep(place, "status", "--json", environment=place.environment()).stdout)
    assert [s["status"] for s in status["sweeps"]] == ["resumable", "complete"], status
    before = simulator.ask("statistics")["by_operation"]
    done = sweep(place, "--all", "--resume", "latest", environment=simulator.environment())
    assert stable(done.report) == truth
    assert done.report["sweep"]["id"] == status["sweeps"][0]["id"] and done.report["sweep"]["started_at"] == status["sweeps"][0]["started_at"]
    again = orgsweep(place, "sweep", "--resume", done.report["sweep"]["id"], environment=simulator.environment())
    assert again.returncode == 2 and "finished (complete)" in again.stderr, again.stderr
    assert orgsweep(place, "sweep", "--resume", "latest", environment=simulator.environment()).returncode == 2
    whole = simulator.ask("statistics")["by_operation"]
    assert before["sagemaker:ListNotebookInstances"] < whole["sagemaker:ListNotebookInstances"]
    status = json.loads(orgsweep(place, "status", "--json", environment=place.environment()).stdout)
    assert [s["status"] for s in status["sweeps"]] == ["complete", "complete"], status


@suite.test
def only_the_same_sweep_is_resumed(place):
    simulator = slow(place)
    running = Running(place, simulator, "--regions", "us-east-1,eu-west-1")
    under_way(simulator)
    running.process.kill()
    running.process.wait()
    other = orgsweep(place, "sweep", "--resume", "latest", environment=simulator.environment())
    assert other.returncode == 2 and "can't be resumed with these options" in other.stderr, other.stderr
    checks = orgsweep(place, "sweep", "--resume", "latest", "--regions", "us-east-1,eu-west-1", "--checks", "aws-bedrock-001",
                      environment=simulator.environment())
    assert checks.returncode == 2 and "other checks" in checks.stderr, checks.stderr
    assert orgsweep(place, "sweep", "--resume", "nosuch", environment=simulator.environment()).returncode == 2
    done = sweep(place, "--all", "--resume", "latest", "--regions", "us-east-1,eu-west-1", environment=simulator.environment())
    assert done.report["sweep"]["status"] == "complete", done.err


def adopted(place, coordinators, *faults, pause=0):
    """They go on with what they hold, and the next coordinator neither grants it again nor does what is sealed again."""
    simulator = slow(place, 9000, *faults)
    fleet = Fleet(place, simulator, coordinators)
    first = Running(place, simulator, *fleet.arguments())
    for name in ("one", "two"):
        fleet.worker(name)
    under_way(simulator)
    wait_for(lambda: fleet.sealed() > 0, 20, "a sealed job")
    first.process.kill()
    first.process.wait()
    before = fleet.epochs()
    time.sleep(pause)
    assert any(sealed for _, sealed in before.values()) and not all(sealed for _, sealed in before.values()), before
    second = Running(place, simulator, *fleet.arguments(coordinators - 1), "--resume", "latest", "--log-level", "info")
    code, report, text = second.finish()
    same_as_undisturbed(place, report, text + second.everything())
    assert "job.adopted" in second.everything(), second.everything()
    after = fleet.epochs()
    regranted = {job: (epoch, after[job][0]) for job, (epoch, _) in before.items() if after[job][0] != epoch}
    logs = [(place.path / f"{name}.log").read_text() for name in ("one", "two")]
    assert not regranted, "\n".join([str(regranted), second.everything(), *logs])


@suite.test
def workers_of_a_killed_coordinator_are_adopted(place):
    adopted(place, 1)


@suite.test
def workers_that_greet_before_their_accounts_are_open_are_adopted(place):
    """They greet as soon as they are connected again, which they try 1.5 and 3.1 s after the kill; roles are still being assumed then."""
    adopted(place, 1, "--fault", "operation=sts:AssumeRole,kind=slow:5000", pause=1.6)


@suite.test
def workers_go_over_to_another_coordinator(place):
    """It listens elsewhere; they know both."""
    adopted(place, 2)


@suite.test
def a_stopped_coordinator_is_deposed(place):
    """Stopped past its lease; another goes on. When it wakes, it writes nothing, says why, and ends with 5."""
    simulator = slow(place, 1500)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Running(place, simulator, *fleet.arguments(0))
    fleet.worker("one")
    under_way(simulator)
    first.process.send_signal(signal.SIGSTOP)
    second = Running(place, simulator, *fleet.arguments(1), "--resume", "latest")
    code, report, text = second.finish()
    same_as_undisturbed(place, report, text)
    row = fleet.sweep_row()
    first.process.send_signal(signal.SIGCONT)
    code, _, text = first.finish()
    assert code == 5 and "taken sweep" in text, (code, text)
    assert fleet.sweep_row() == row and row["state"] == "finished"


@suite.test
def a_live_coordinator_is_left_alone(place):
    """Neither resumed nor reported as if it were gone."""
    simulator = slow(place, 3000)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Running(place, simulator, *fleet.arguments(0))
    fleet.worker("one")
    under_way(simulator)
    second = orgsweep(place, "sweep", *fleet.arguments(1), "--resume", "latest", environment=simulator.environment())
    if first.process.poll() is None:  # else it was too slow a machine to see it
        assert second.returncode == 2 and "alive" in second.stderr, second.stderr
    code, report, text = first.finish()
    same_as_undisturbed(place, report, text)


@suite.test
def rates_are_learned(place):
    """Where a service refused for its rate, the next sweep begins with what was left, and forgets it when it is not refused."""
    redis = Redis(place)
    throttling = Simulator(place, *SIZE, "--fault", "operation=bedrock:*,region=us-east-1,kind=throttle,probability=0.4")
    sweep(place, "--all", "--store", redis.url, environment=throttling.environment())
    rows = redis.ask("HGETALL", "swp:limits").decode().splitlines()
    learned = dict(zip(rows[::2], map(int, rows[1::2])))
    assert learned and all(place_of.split()[1:] == ["us-east-1", "bedrock"] and 500 <= rate < 100000 for place_of, rate in learned.items()), learned
    quiet = Simulator(place, *SIZE)
    done = sweep(place, "--all", "--store", redis.url, environment=quiet.environment())
    assert stable(done.report) == expected(place)
    assert redis.ask("HLEN", "swp:limits").strip() == b"0"


@suite.test
def who_waited_for_a_sweep_that_ended_leaves_it_alone(place):
    """`sweep --resume` and `report`, begun while it runs, wait for its coordinator's lease; that ends with the sweep."""
    simulator = slow(place, 2500)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Running(place, simulator, *fleet.arguments(0))
    fleet.worker("one")
    under_way(simulator)
    second = Running(place, simulator, *fleet.arguments(1), "--resume", "latest", "--log-level", "info", XDG_STATE_HOME=place.path / "second")
    told = orgsweep(place, "report", "--all", "--output", "-", "--store", fleet.redis.url, environment=place.environment())
    code, report, text = first.finish()
    same_as_undisturbed(place, report, text)
    row = fleet.sweep_row()
    assert row["state"] == "finished" and row["status"] == "complete", row
    code, _, text = second.finish()
    assert code == 2 and ("finished" in text or "alive" in text), text
    assert told.returncode == 0 and told.stdout == first.target.read_text(), told.stderr or "not the same bytes"
    again = orgsweep(place, "report", "--all", "--output", "-", "--store", fleet.redis.url, environment=place.environment())
    assert again.stdout == first.target.read_text() and fleet.sweep_row() == row


@suite.test
def a_worker_told_to_end_does_not_wait_for_a_dead_coordinator(place):
    """It finishes its jobs and commits them; what it would still tell is given up when the coordinator is silent, long before the 30 s of a drain."""
    simulator = slow(place, 1500)
    fleet = Fleet(place, simulator)
    first = Running(place, simulator, *fleet.arguments())
    worker = fleet.worker("one")
    under_way(simulator)
    before = fleet.sealed()
    first.process.kill()
    first.process.wait()
    worker.terminate()
    start = time.monotonic()
    assert worker.wait(40) == 0
    seconds = time.monotonic() - start
    assert fleet.sealed() > before, "its jobs are committed"
    assert seconds < 24, seconds


@suite.test
def the_next_coordinator_is_greeted_at_once(place):
    """One that ends says so, or its connection does; either way its workers need no 5 s of silence before they greet the next one."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    fleet.worker("one")
    log = lambda: (place.path / "one.log").read_text()
    for number in (1, 2, 3):
        done = sweep(place, "--all", *fleet.arguments(), environment=simulator.environment())
        assert stable(done.report) == expected(place)
        assert log().count("link.up") == number, log()
        assert "link.lost" not in log(), log()


ACCOUNTS = """local rows = redis.call('HGETALL', KEYS[1]); local planned = 0
for i = 2, #rows, 2 do if not cmsgpack.unpack(rows[i])[7] then planned = planned + 1 end end
return {#rows / 2, planned}"""


@suite.test
def status_tells_how_many_accounts_there_are(place):
    """As many as have rows, at whatever moment the coordinator is killed, and when the sweep has been resumed; without reading a row of theirs.
    Where it was not counted (an earlier version) it says that it does not know."""
    simulator = slow(place)
    fleet = Fleet(place, simulator)
    shown = lambda *options: orgsweep(place, "status", *options, "--store", fleet.redis.url, environment=place.environment()).stdout
    index = lambda: fleet.redis.ask("ZRANGE", "swp:index", 0, -1).decode().split()

    def agree():
        there = [int(number) for number in fleet.redis.ask("EVAL", ACCOUNTS, 1, f"swp:{index()[0]}:accounts").decode().split()]
        told = json.loads(shown("--json"))["sweeps"][0]
        assert [told["accounts"], told["accounts_planned"]] == there, (told, there)
        return told

    first = Running(place, simulator, *fleet.arguments())
    fleet.worker("one")
    wait_for(lambda: index() and int(fleet.redis.ask("HLEN", f"swp:{index()[0]}:accounts")) > 0, 20, "an account's row")
    first.process.kill()
    first.process.wait()
    assert agree()["accounts"] > 0
    second = Running(place, simulator, *fleet.arguments(), "--resume", "latest")
    code, report, text = second.finish()
    same_as_undisturbed(place, report, text)
    told, total = agree(), report["summary"]["accounts"]
    assert (told["accounts"], told["accounts_planned"]) == (total["total"], total["planned"]), (told, total)
    assert f"{total['planned']} of {total['total']} accounts planned" in shown(), shown()
    fleet.redis.ask("CONFIG", "RESETSTAT")
    shown("--json")
    scans = [line for line in fleet.redis.ask("INFO", "commandstats").decode().splitlines() if line.startswith("cmdstat_hscan:")]
    assert "calls=3," in scans[0], scans  # the leader, the sweep, the workers
    key = f"swp:{index()[0]}:sweep"
    earlier = [lambda: fleet.redis.ask("HSET", key, "accounts", "1 7 7"), lambda: fleet.redis.ask("HDEL", key, "accounts")]
    for change in earlier:
        change()
        unknown = json.loads(shown("--json"))["sweeps"][0]
        assert unknown == {**told, "accounts": None, "accounts_planned": None}, unknown
        assert "accounts not counted" in shown(), shown()
    fleet.redis.ask("HDEL", key, "planned_jobs", "done_jobs")  # as in the first seconds
    assert "jobs not told yet" in shown(), shown()
    assert json.loads(shown("--json"))["sweeps"][0] == {**unknown, "planned_jobs": 0, "done_jobs": 0}


def on_host(name):
    """What makes a worker believe that its host is called so: a UTS namespace."""
    prefix = ("unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name)
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        raise Skipped("UTS namespaces can't be made here")
    return prefix


@suite.test
def a_job_lost_on_a_host_goes_to_another(place):
    """On one host each worker that gets the job is killed and comes back at once (memory that is too short, say). The host that greeted last
    is asked first, so that it would get the job again and again; but the other one sweeps it, and nothing is lost."""
    size = ("--seed", 46, "--accounts", 6, "--regions", 1)
    truth = sweep(place, "--all", environment=Simulator(place, *size).environment()).report
    victim = [account for account in truth["accounts"] if account["swept"]][-1]
    simulator = Simulator(place, *size, "--fault", f"account={victim['id']},operation=sagemaker:*,kind=slow:3000")
    fleet = Fleet(place, simulator)
    running = Running(place, simulator, *fleet.arguments(), "--log-level", "info")
    broken, lost = fleet.worker("one", prefix=on_host("broken")), []
    ready = lambda name: [line for line in running.everything().splitlines() if "worker.ready" in line and f"worker={name}" in line]
    while running.process.poll() is None:
        job = fleet.job(victim["id"], victim["regions"][0])
        if job and job[1] == "one" and not job[2] and job[0] not in lost:
            lost.append(job[0])
            broken.kill()
            if len(lost) == 1:
                fleet.worker("two", prefix=on_host("sound"))
                wait_for(lambda: ready("two"), 20, "the other host's worker is ready")
            broken = fleet.worker("one", prefix=on_host("broken"))
        time.sleep(0.05)
    code, report, text = running.finish()
    assert "host=broken" in ready("one")[0] and "host=sound" in ready("two")[0], ready("one") + ready("two")
    assert report["sweep"]["status"] == "complete" and stable(report) == stable(truth), text
    assert len(lost) == 1, lost


@suite.test
def a_worker_that_is_told_again_and_again_ends_as_it_should(place):
    """The second signal ends its drain at once; those that come while it goes find it ended, with 0."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator)
    running = Running(place, simulator, *fleet.arguments())
    worker = fleet.worker("one")
    wait_for(lambda: "link.up" in (place.path / "one.log").read_text(), 10, "it is welcomed")
    while worker.poll() is None:
        worker.terminate()
        time.sleep(0.001)
    assert worker.returncode == 0, worker.returncode
    running.process.terminate()
    running.finish()


if __name__ == "__main__":
    suite.main(at_once=3)
