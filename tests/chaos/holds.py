"""What must hold after every run."""
import json
import pathlib
import signal
import subprocess

from common import TOKEN_BEGINS, cells, check_report, forms_of, processes_of, stable
from world import PASSWORD, WORKERS

# KiB; measured: a quiet run peaks at about a tenth of each.
MOST_MEMORY = {"coordinator": 200 << 10, "worker": 300 << 10}
EVENTS = ("sweep.taken-over", "sweep.resumed", "serve.deposed", "job.adopted", "job.lost", "worker.gone", "worker.drain", "store.away", "store.down",
          "store.fresh", "account.redo", "link.lost", "link.refused", "store.error")


def logs(world):
    return {path.name: path.read_text(errors="replace") for path in sorted(world.place.path.glob("*.log"))}


def events(world):
    text = "".join(logs(world).values())
    return {event: text.count(f" {event} ") for event in EVENTS if f" {event} " in text}


def ends(process, wanted, who):
    try:
        code = process.wait(45)
    except subprocess.TimeoutExpired:
        return [f"{who} does not end"]
    return [] if code in wanted else [f"{who} ended with {code}"]


def stop_all(world):
    """All that still runs ends when it is told to, with the code that it should have. Yields what does not."""
    service = world.form == "serve"
    for slot in world.coordinators:
        if slot.lives():
            early = {-signal.SIGTERM} if world.is_new(f"coordinator-{slot.number}") else set()
            if service:
                slot.process.send_signal(signal.SIGTERM)
            yield from ends(slot.process, {0} | early if service else {0, 1, 2, 3, 4, 5}, f"coordinator {slot.number}")
    for name in WORKERS:
        if world.workers[name].poll() is None:
            early = {-signal.SIGTERM} if world.is_new(f"worker-{name}") else set()
            world.workers[name].terminate()
            yield from ends(world.workers[name], {0} | early, f"worker {name}")


def left_over(world):
    """Processes and files that nobody needs any more."""
    for pid, command in processes_of(world.place):
        if "simulator" not in command and "redis-server" not in command:
            yield f"still runs: {pid} {command}"
    for number in (0, 1):
        for path in (world.place.path / f"state-{number}").rglob("*"):
            if not path.is_dir() and path.name not in ("lock",):
                yield f"left in the state folder: {path.relative_to(world.place.path)}"
    for path in world.place.path.glob("cwd-*/*"):
        yield f"left in a working folder: {path.relative_to(world.place.path)}"
    for path in world.reports.glob("*"):
        if path.suffix != ".json":
            yield f"left among the reports: {path.name}"


def same_report(report, truth):
    got, wanted = stable(report), stable(truth)
    if got == wanted:
        return
    for member in wanted:
        if got[member] != wanted[member]:
            if isinstance(wanted[member], list):
                more = [row for row in got[member] if row not in wanted[member]]
                less = [row for row in wanted[member] if row not in got[member]]
                yield f"{member} differ: {len(more)} more, {len(less)} less; first: {json.dumps((more or [None])[0])} for {json.dumps((less or [None])[0])}"
            else:
                yield f"{member}: {json.dumps(got[member])[:1500]} for {json.dumps(wanted[member])[:1500]}"


def worse_by_reasons(report, truth, reasons):
    """A cell is as it was, or was not read, in whole or in part, for one of the reasons; nothing new is claimed."""
    was, now = cells(truth), cells(report)
    why = {}
    for gap in report["coverage"]["gaps"]:
        why.setdefault((gap["account"], gap["region"], gap["check_id"]), set()).add(gap["reason"])
    before = {}
    for gap in truth["coverage"]["gaps"]:
        before.setdefault((gap["account"], gap["region"], gap["check_id"]), set()).add(gap["reason"])
    if set(was) != set(now):
        yield f"cells differ: {sorted(set(was) ^ set(now))[:5]}"
    for key, state in now.items():
        new = why.get(key, set()) - before.get(key, set())
        if not new <= reasons:
            yield f"{key}: {sorted(new - reasons)} was not injected ({sorted(reasons)})"
        if state != was.get(key) and not (state == "NOT_ASSESSED" and why.get(key, set()) & reasons):
            yield f"{key} was {was.get(key)} and is {state} ({sorted(why.get(key, ()))})"
    row = lambda r: (r["account"], r["region"], r["check_id"], r["resource"], r["status"])
    claims = lambda of: {row(r) for r in of["results"] if r["status"] in ("PASS", "FAIL")}
    if claims(report) - claims(truth):
        yield f"claims what the quiet run does not: {sorted(claims(report) - claims(truth))[:3]}"
    confirmed = lambda of: {(c["chain_id"], c["account"], *c["regions"], *c["resources"]) for c in of["chains"] if c["status"] == "confirmed"}
    instances = lambda of: {(c["chain_id"], c["account"]) for c in of["chains"] if c["status"] == "confirmed"}
    if instances(report) - instances(truth):
        yield f"chains that are none: {sorted(confirmed(report) - confirmed(truth))[:3]}"


def jobs_hold(world, wanted, before):
    """Each job of the plan is sealed, once, with all its parts and no others; what was sealed earlier was not done again."""
    jobs = world.jobs()
    if set(jobs) != set(wanted):
        yield f"jobs differ: {sorted(set(jobs) ^ set(wanted))[:5]}"
    for job, (epoch, attempts, named, there, parts, sealed_at) in jobs.items():
        if named == "-1":
            yield f"{job} is not sealed (epoch {epoch}, attempts {attempts})"
        elif not named == there == parts:
            yield f"{job}: its seal names {named} parts, {there} of them are there, and {parts} at all"
        if job in before and before[job] != (epoch, sealed_at):
            yield f"{job} was sealed with epoch and time {before[job]}, and was done again: {(epoch, sealed_at)}"


def no_locks(world):
    """Nothing is kept from the next sweep."""
    locks = (world.peek("KEYS", "swp:lock:*") or "").split()
    if locks:
        yield f"locks are left: {locks[:5]}"


def secrets_of(world):
    found = [PASSWORD, TOKEN_BEGINS, world.simulator.ready["secret_access_key"], world.simulator.ready["access_key_id"]]
    for path in [*world.keys.glob("*.key"), *world.place.path.glob("*.key")]:
        found += [line.split('"')[1] for line in path.read_text().splitlines() if line.startswith("secret-key")]
    assert len(found) >= 7, found
    return found


def no_secrets(world):
    """Logs, reports, what Redis holds and ever wrote, and whatever else lies about (a core dump, say)."""
    ours = {"environment", "ready.json", "organization.json", "sentinel.conf"}
    secrets = secrets_of(world)
    forms = {form for secret in secrets for form in forms_of(secret)}
    for path in world.place.path.rglob("*"):
        if path.is_file() and path.suffix != ".key" and path.name not in ours and "simulator-" not in str(path.parent):
            text = path.read_bytes()
            for form in forms:
                if form in text:
                    yield f"a secret stands in {path.relative_to(world.place.path)}: {form[:6]}…"
    keys = world.peek("KEYS", "*")
    for form in forms:
        if form.decode(errors="replace") in keys:
            yield "a secret is part of a key of Redis"


def memory_holds(world):
    for who, peak in world.peaks.items():
        if peak > MOST_MEMORY[who.split("-")[0]]:
            yield f"{who} took {peak} KiB"


def read_report(world, text):
    """The report, or what is wrong with it."""
    report = json.loads(text)
    check_report(report, text)
    return report
