"""What looks whether everything holds sees what does not: each of a quiet run's traces is spoiled in turn."""
import contextlib
import copy
import json
import subprocess
import time

import chaos
import faults
import holds
from common import ROOT, Suite
from world import PASSWORD, World

suite = Suite()
QUIET = frozenset()


def swept(place, form="sweep"):
    world = World(place, form, 1)
    world.start()
    text = chaos.wait_for_report(world, time.monotonic() + 120)
    return world, json.loads(text), world.jobs()


@suite.test
def what_is_left_behind(place):
    with contextlib.closing(swept(place)[0]) as world:
        looks = {"left_over": holds.left_over, "no_secrets": holds.no_secrets, "no_locks": holds.no_locks, "memory_holds": holds.memory_holds}
        assert not list(holds.stop_all(world))
        assert not [problem for look in looks.values() for problem in look(world)], "a quiet run is spotless"
        state = place.path / "state-0" / "orgsweep"
        state.mkdir(parents=True, exist_ok=True)
        (state / "x.sock").touch()
        assert "x.sock" in "".join(holds.left_over(world))
        (state / "x.sock").unlink()
        (world.reports / "0-1.json.aBcDeF").touch()
        assert "aBcDeF" in "".join(holds.left_over(world))
        (world.reports / "0-1.json.aBcDeF").unlink()
        stray = subprocess.Popen(["sleep", "60"], env=place.environment())
        assert "sleep" in "".join(holds.left_over(world))
        stray.kill()
        stray.wait()
        for secret in holds.secrets_of(world):
            (place.path / "cwd-0" / "core").write_bytes(b"\0" * 9 + secret.encode() + b"and more")
            assert "core" in "".join(holds.no_secrets(world)), secret[:4]
        (place.path / "cwd-0" / "core").unlink()
        world.redis.ask("SET", "x", PASSWORD)
        assert "appendonly" in "".join(holds.no_secrets(world))
        world.redis.ask("SET", "swp:lock:1:2", "x")
        assert list(holds.no_locks(world))
        world.peaks["worker-one"] = 1 << 30
        assert list(holds.memory_holds(world))


@suite.test
def what_is_in_the_store(place):
    world, _, jobs = swept(place)
    with contextlib.closing(world):
        before = {job: (row[0], row[5]) for job, row in jobs.items()}
        assert not list(holds.jobs_hold(world, jobs, before))
        sweep, first = world.sweep_id(), min(jobs)
        key = f"swp:{sweep}:job:{first}"
        world.redis.ask("COPY", key, "kept")
        spoiled = [("HDEL", key, "p0"), ("HSET", key, "p9", "x"), ("HDEL", key, "s"), ("HINCRBY", key, "e", 1), ("HINCRBY", key, "t", 1), ("DEL", key)]
        for words in spoiled:
            world.redis.ask(*words)
            assert first in "".join(holds.jobs_hold(world, jobs, before)), words
            world.redis.ask("COPY", "kept", key, "REPLACE")
        assert not list(holds.jobs_hold(world, jobs, before))


@suite.test
def what_a_report_says(place):
    world, truth, _ = swept(place)
    world.close()
    reasons = frozenset({"throttled"})
    assert not [*holds.same_report(truth, truth), *holds.worse_by_reasons(truth, truth, reasons)]
    index = next(i for i, row in enumerate(truth["results"]) if row["status"] == "FAIL")
    for change in ({"status": "PASS"}, {"status": "NOT_ASSESSED", "reason": "throttled"}, {"resource": "arn:aws:x"}):
        report = copy.deepcopy(truth)
        report["results"][index].update(change)
        assert list(holds.same_report(report, truth)), change
        assert list(holds.worse_by_reasons(report, truth, reasons)), "its gap is not told, or it claims what is not so"
    report = copy.deepcopy(truth)
    row = report["results"][index]
    row.update(status="NOT_ASSESSED", reason="throttled")
    gap = dict(truth["coverage"]["gaps"][0], account=row["account"], region=row["region"], check_id=row["check_id"], reason="throttled")
    cell = [r for r in truth["results"] if (r["account"], r["region"], r["check_id"]) == (row["account"], row["region"], row["check_id"])]
    report["coverage"]["gaps"].append(gap)
    if len(cell) == 1:
        assert not list(holds.worse_by_reasons(report, truth, reasons))
    assert list(holds.worse_by_reasons(report, truth, frozenset({"timeout"}))), "another reason than was injected"
    report = copy.deepcopy(truth)
    del report["chains"][0], report["results"][index]
    assert len(list(holds.same_report(report, truth))) == 2


@suite.test
def a_process_that_ends_wrongly(place):
    with contextlib.closing(swept(place, "serve")[0]) as world:
        world.tend()
        assert not world.unexpected
        for process in (world.workers["one"], world.coordinators[0].process):  # neither is among the faults
            process.kill()
            process.wait()
        world.tend()
        assert len(world.unexpected) == 2 and "worker one" in "".join(world.unexpected), world.unexpected
        world.do("kill-worker", "two")
        world.tend()
        assert len(world.unexpected) == 2, "that one is"


@suite.test
def the_same_seed_is_the_same_plan(place):
    for seed in range(200):
        one, other = faults.make_plan(seed), faults.make_plan(seed)
        assert one.text() == other.text() and one.steps
        assert sum(fault.losses([]) for fault in one.faults if fault.losses is faults.one_loss) <= faults.MOST_LOSSES
    verbs = {step[1] for seed in range(300) for step in faults.make_plan(seed).steps}
    assert not [verb for verb in verbs if not hasattr(World, "do_" + verb.replace("-", "_"))], verbs
    text = (ROOT / "docs" / "chaos.md").read_text()
    assert not [fault.name for fault in faults.FAULTS if fault.name not in text], "docs/chaos.md tells of every fault"


if __name__ == "__main__":
    suite.main(at_once=3)
