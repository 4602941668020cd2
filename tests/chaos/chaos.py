"""An organization is swept again and again while a random plan of faults is carried out, each from a seed that is printed; after each run
everything that must hold is looked at. Ends with "N passed, N failed".

usage: chaos.py BUILD [--seed N] [--sweeps N] [--minutes N] [--only KIND] [--at-once N] [--output FILE.md] [--stop] [--short]

Sweep K has seed N + K: `chaos.py BUILD --seed M --sweeps 1` does one of them again (with the same --only)."""
import argparse
import collections
import concurrent.futures
import contextlib
import difflib
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time
import traceback

import faults
import holds
from common import BUILD, Place
from world import PHASES, World

SWEEP_SECONDS = 100  # behind the last step of a plan: a call that hangs takes 60
ROUND = 0.1
# Fixed plans, (what, seed); none goes past a lease.
SHORT = (("worker: killed, started again", 1), ("coordinator: killed, started again", 1), ("coordinator: killed, started again", 6),
         ("redis: killed, started again", 1), ("all: power cut", 8), ("link", 15), ("aws", 5), ("link: coordinator-Redis broken", 2),
         ("link: coordinator-Redis loses packets", 1), ("clock: of Redis steps", 1))
SHORT_AT_ONCE = 4


def quiet_run():
    """Report and jobs of an undisturbed sweep."""
    with Place() as place, contextlib.closing(World(place, "sweep", 1)) as world:
        world.start()
        text = wait_for_report(world, time.monotonic() + 120)
        problems = [*holds.stop_all(world), *holds.left_over(world), *holds.no_secrets(world)]
        assert not problems, problems
        return json.loads(text), sorted(world.jobs())


def wait_for_report(world, end):
    while (text := world.report()) is None:
        assert time.monotonic() < end, "no report"
        time.sleep(ROUND)
    return text


def note_sealed(world, before):
    """Epoch and time of the seals so far: they may never change again."""
    for job, (epoch, _, named, _, _, sealed_at) in (world.jobs() or {}).items():
        if named != "-1":
            before.setdefault(job, (epoch, sealed_at))


def carry_out(world, plan, before):
    """(the report's text, who wrote it); AssertionError when there is none in time."""
    steps, last = list(plan.steps), plan.steps[-1][0]
    world.begun_steps = 0
    while True:
        now = time.monotonic() - world.began
        text = world.report()
        if text is not None:
            return text, "its coordinator"
        if steps and steps[0][0] <= now:
            note_sealed(world, before)
            world.do(*steps.pop(0)[1:])
            world.begun_steps += 1
            continue
        world.tend()
        world.sample()
        if not steps or now > last:
            if world.nobody_will_report():
                return world.report_from_store(), "orgsweep report"
            world.go_on()
        assert now < last + SWEEP_SECONDS, "no report in time: " + json.dumps(world.row())
        time.sleep(ROUND)


def judge(world, plan, text, truth, jobs, before):
    world.tend()
    problems = [*world.unexpected, *holds.stop_all(world)]
    report = holds.read_report(world, text)
    reasons = plan.reasons
    problems += holds.worse_by_reasons(report, truth, reasons) if reasons else holds.same_report(report, truth)
    problems += holds.jobs_hold(world, jobs, {} if plan.may_forget else before)
    again = world.report_from_store()
    if again != text:
        lines = ((json.dumps(json.loads(one), indent=1) if one else "").splitlines() for one in (text, again))
        problems.append("`orgsweep report` gives other bytes\n" + "\n".join(list(difflib.unified_diff(*lines, "report", "again", n=2))[:30]))
    for looks in (holds.no_locks, holds.left_over, holds.no_secrets, holds.memory_holds):
        problems += looks(world)
    return problems


def make_world(place, plan):
    return World(place, plan.form, plan.slow_ms, plan.needs, plan.slow)


def run(which, truth, jobs):
    """One sweep under its plan (`which`: what makes it): what became of it, as a dictionary."""
    start, plan = time.monotonic(), faults.make_plan(*which)
    outcome = {"seed": plan.seed, "faults": [(fault.kind, fault.name) for fault in plan.faults], "problems": [], "told": "", "events": {},
               "writer": "", "done": 0, "peaks": {}, "landed": {}, "lost": 0}
    try:
        with Place() as place, contextlib.closing(make_world(place, plan)) as world:
            try:
                before = {}
                world.start()
                text, outcome["writer"] = carry_out(world, plan, before)
                world.heal()
                outcome["problems"] = judge(world, plan, text, truth, jobs, before)
            except Exception:
                outcome["problems"].append(traceback.format_exc())
                with contextlib.suppress(Exception):
                    world.heal()
                    outcome["problems"] += [f"row: {world.row()}", f"jobs: {world.jobs()}"]
            outcome["events"], outcome["peaks"], outcome["landed"] = holds.events(world), world.peaks, world.landed
            outcome["lost"] = world.packets_lost()
            outcome["done"] = getattr(world, "begun_steps", 0)
            if outcome["problems"]:
                outcome["told"] = "\n".join([plan.text(), *world.told, *(f"--- {name}\n{text}" for name, text in holds.logs(world).items())])
    except Exception:  # what the place itself finds: something is left running
        outcome["problems"].append(traceback.format_exc())
        outcome["told"] = outcome["told"] or plan.text()
    outcome["seconds"] = time.monotonic() - start
    return outcome


def line_of(plan, outcome):
    what = "; ".join(f"{kind}: {name}" for kind, name in outcome["faults"])
    return (f"{'FAIL' if outcome['problems'] else 'ok  '} seed {outcome['seed']} {plan.form} [{outcome['seconds']:.0f} s] {what} "
            f"({outcome['done']} of {len(plan.steps)} steps, report by {outcome['writer'] or 'nobody'})")


def table(outcomes, seconds):
    """Markdown: what was injected, and what came of it."""
    count, failed = collections.Counter(), collections.Counter()
    for outcome in outcomes:
        count.update(map(tuple, outcome["faults"]))
        failed.update(set(map(tuple, outcome["faults"])) if outcome["problems"] else ())
    events, landed = collections.Counter(), collections.Counter()
    for outcome in outcomes:
        events.update(outcome["events"])
        landed.update(outcome["landed"])
    peaks = {who: max((peak for outcome in outcomes for name, peak in outcome["peaks"].items() if name.startswith(who)), default=0)
             for who in holds.MOST_MEMORY}
    bad = sum(bool(outcome["problems"]) for outcome in outcomes)
    lines = [f"{len(outcomes)} sweeps, {sum(count.values())} faults, {bad} sweeps failed, {seconds / 60:.0f} minutes; seeds "
             f"{min(o['seed'] for o in outcomes)} to {max(o['seed'] for o in outcomes)}.", "",
             "| what | fault | injected | sweeps that failed with it |", "|---|---|---|---|"]
    for fault in faults.FAULTS:
        key = (fault.kind, fault.name)
        if count[key]:
            lines.append(f"| {fault.kind} | {fault.name} | {count[key]} | {failed[key]} |")
    lines += ["", "| what the programs told of it | times |", "|---|---|", *(f"| `{event}` | {number} |" for event, number in sorted(events.items()))]
    lines += ["", *(f"Kills that landed while {phase}: {landed[phase]}." for phase in PHASES),
              f"Packets lost by links: {sum(outcome['lost'] for outcome in outcomes)}."]
    lines += ["", "Highest memory: " + ", ".join(f"{who} {peak / 1024:.0f} MiB" for who, peak in peaks.items()) + "."]
    return "\n".join(lines) + "\n"


def plans(options):
    if options.short:
        return [(seed, kind, True) for kind, seed in SHORT]
    return [(options.seed + number, options.only, False) for number in range(options.sweeps)]


def stopped(number, frame):
    """Each process of ours clears up its own place, once."""
    signal.signal(number, signal.SIG_IGN)
    for child in multiprocessing.active_children():
        child.terminate()
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGTERM, stopped)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--sweeps", type=int, default=10)
    parser.add_argument("--minutes", type=float, help="no sweep is begun after that many")
    parser.add_argument("--only", help="faults of that kind: " + ", ".join(faults.KINDS) + "; or one, 'KIND: NAME'")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, help="a table of faults and outcomes")
    parser.add_argument("--stop", action="store_true", help="at the first failure")
    parser.add_argument("--short", action="store_true", help="a handful of fixed plans")
    options = parser.parse_args()
    start, left, outcomes, running = time.monotonic(), plans(options), [], {}
    print(f"seed {options.seed}, build {BUILD.name}", flush=True)
    truth, jobs = quiet_run()
    with concurrent.futures.ProcessPoolExecutor(SHORT_AT_ONCE if options.short else options.at_once, multiprocessing.get_context("fork")) as pool:
        while left or running:
            over = options.minutes is not None and time.monotonic() - start > 60 * options.minutes
            if over or (options.stop and any(outcome["problems"] for outcome in outcomes)):
                left = []
            while left and len(running) < pool._max_workers:
                which = left.pop(0)
                running[pool.submit(run, which, truth, jobs)] = faults.make_plan(*which)
            for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                plan, outcome = running.pop(future), future.result()
                outcomes.append(outcome)
                print(line_of(plan, outcome), *outcome["problems"], outcome["told"], sep="\n  " if outcome["problems"] else "", flush=True)
            if options.output and outcomes:
                options.output.write_text(table(outcomes, time.monotonic() - start))
    bad = sum(bool(outcome["problems"]) for outcome in outcomes)
    print(f"{len(outcomes) - bad} passed, {bad} failed")
    return 1 if bad or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
