"""How large may an organization be, and how much does each more of it cost? Measured with whole sweeps against the simulator.

usage: scale.py BUILD [--accounts N …] [--regions 17] [--only PART …] [--short] [--output FILE.md]

BUILD is a release build. What is measured, each with a Redis, keys and workers of its own (parts for --only):
  whole      sweeps of N accounts by no-op workers (bench-noop-worker: they commit and make no AWS call): time to the first job, jobs/s over
             the whole sweep, processor time a job, peak memory of the coordinator, what Redis holds
  dispatch   (best of 5 runs) as many accounts as may be open at once are entered first, then the no-op workers come: jobs/s that it gives out
             when neither ListAccounts nor AssumeRole is waited for
  speed-up   real workers, one against two: where they have to wait for AWS, and where the processor is the limit
  profile    where the coordinator's time goes while it gives out jobs, by library (perf; left out where that is not to be had)
  bytes      what Redis holds for a finding and for a PASS: rows of no-op workers, and a real sweep
--short: sizes that prove that it works; no number of it is worth quoting. Prints a Markdown table, and with --output writes it too.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sweeps"))
import sizing  # noqa: E402
from common import BUILD, ORGSWEEP, WORKER, Place, Simulator, wait_for  # noqa: E402 (reads BUILD from the command line)
from fleet import Fleet  # noqa: E402
from peers import write_keys  # noqa: E402

NOOP_WORKERS = 4
FEW_CREDITS = 8
NOOP_CREDITS = 192  # SWP_WORKER_CREDITS
RUNS = 3  # of what others on the machine disturb
DISPATCH_RUNS = 5
OPEN_ACCOUNTS = 250  # just below SWP_LIMIT_OPEN_ACCOUNTS
SEALS = """local count, first, last = 0, math.huge, 0
for _, key in ipairs(redis.call('KEYS', '*:job:*')) do
  local at = tonumber(redis.call('HGET', key, 't') or '0')
  if at > 0 then count = count + 1; first = math.min(first, at); last = math.max(last, at) end
end
return {count, string.format('%.0f', first), string.format('%.0f', last)}"""
USAGE = """local all = {}
for _, key in ipairs(redis.call('KEYS', 'swp:*')) do all[#all + 1] = key .. ' ' .. redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0') end
return all"""

Row = collections.namedtuple("Row", "figure measured unit target met how", defaults=("", "", ""))


class Watch(threading.Thread):
    """Processor time of each thread of some processes, every 10 ms; and their peak memory."""

    def __init__(self, **pids):
        super().__init__(daemon=True)
        self.pids, self.samples, self.peaks, self.stop = pids, {name: [] for name in pids}, dict.fromkeys(pids, 0), False

    def look(self, name, pid):
        try:
            threads = {task: int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) / 1e9
                       for task in os.listdir(f"/proc/{pid}/task")}
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peaks[name] = max(self.peaks[name], int(line.split()[1]))
        except (OSError, IndexError, ValueError):
            return
        self.samples[name].append((time.monotonic(), threads))

    def run(self):
        while not self.stop:
            for name, pid in list(self.pids.items()):
                self.look(name, pid)
            time.sleep(0.01)

    def at(self, name, moment):
        return min(self.samples[name], key=lambda sample: abs(sample[0] - moment))[1]

    def between(self, name, begin, end):
        """Seconds of all threads, and of the one that took the most."""
        before, after = self.at(name, begin), self.at(name, end)
        used = [seconds - before.get(task, 0) for task, seconds in after.items()]
        return sum(used), max(used)

    def whole(self, name):
        return sum(self.samples[name][-1][1].values())


class Run:
    """One sweep of a fleet."""

    def __init__(self, place, simulator):
        self.place, self.simulator, self.fleet = place, simulator, Fleet(place, simulator)
        self.noop_keys = []
        for index in range(NOOP_WORKERS):
            private, public = write_keys(place.path, f"noop-{index}")
            shutil.copy(public, self.fleet.keys / "allowed")
            self.noop_keys.append(private)
        self.memory_before = self.redis_memory()
        self.errors = place.path / "sweep.log"

    def redis_memory(self):
        return int(dict(line.split(":", 1) for line in self.fleet.redis.ask("INFO", "memory").decode().splitlines() if ":" in line)["used_memory"])

    def start(self, *arguments):
        self.began = time.monotonic()
        self.process = subprocess.Popen([str(ORGSWEEP), "sweep", "--quiet", "--fail-on", "none", "--min-coverage", "0",
                                         *map(str, self.fleet.arguments()), *map(str, arguments)], stdout=subprocess.DEVNULL,
                                        stderr=open(self.errors, "w"), cwd=self.place.path,
                                        env=self.simulator.environment(XDG_STATE_HOME=self.place.path / "state"))
        self.place.children.append(self.process)
        self.watch = Watch(coordinator=self.process.pid, redis=self.fleet.redis.process.pid)
        self.watch.start()
        port = int(self.fleet.endpoints[0].rsplit(":", 1)[1])
        wait_for(lambda: self.listens(port), 30, "the coordinator listens")

    def listens(self, port):
        if self.process.poll() is not None:
            raise SystemExit(f"the sweep ended with {self.process.returncode}: {self.errors.read_text()[-3000:]}")
        return f":{port:04X} " in pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()

    def start_noop(self, checks, rows=0, fail=False):
        command = [str(BUILD / "tests/bench/bench-noop-worker"), "--connect", self.fleet.endpoints[0], "--server-key",
                   str(self.fleet.keys / "server.pub"), "--store", self.fleet.redis.url, "--checks", str(checks), "--rows", str(rows),
                   "--credits", str(NOOP_CREDITS)] + (["--fail"] if fail else [])
        for key in self.noop_keys:
            command += ["--key", str(key)]
        self.noop = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.place.children.append(self.noop)
        self.watch.pids["noop"], self.watch.samples["noop"], self.watch.peaks["noop"] = self.noop.pid, [], 0

    def start_worker(self, name, credits=None):
        environment = {k: v for k, v in self.simulator.environment().items() if k != "AWS_SECRET_ACCESS_KEY"}
        worker = subprocess.Popen([str(WORKER), "--connect", self.fleet.endpoints[0], "--key", str(self.fleet.private[name]), "--server-key",
                                   str(self.fleet.keys / "server.pub"), "--store", self.fleet.redis.url,
                                   *(["--credits", str(credits)] if credits else [])], env=environment,
                                  stderr=open(self.place.path / f"{name}.log", "w"))
        self.place.children.append(worker)
        self.watch.pids[name], self.watch.samples[name], self.watch.peaks[name] = worker.pid, [], 0

    def finish(self, seconds):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        self.wall = time.monotonic() - self.began
        self.watch.stop = True
        self.watch.join()
        if code != 0:
            raise SystemExit(f"the sweep ended with {code} after {self.wall:.0f} s: {self.errors.read_text()[-3000:]}")

    def finish_noop(self, seconds):
        self.finish(seconds)
        self.noop.terminate()
        out, err = self.noop.communicate(timeout=20)
        if self.noop.returncode:
            raise SystemExit(f"bench-noop-worker ended with {self.noop.returncode}: {err}")
        told = json.loads(out)
        sealed = self.seals()[0]
        if told["stale"] or told["done"] != sealed or sum(told["received"]) < sealed:
            raise SystemExit(f"jobs were lost or done twice: {sealed} are sealed, the workers say {told['done']} done, {told['stale']} stale")
        return told

    def seals(self):
        """Jobs that are sealed, and milliseconds from the first seal to the last."""
        count, first, last = self.fleet.redis.ask("EVAL", SEALS, 0).decode().split()
        return int(count), int(last) - int(first)

    def usage(self):
        """key → bytes"""
        lines = self.fleet.redis.ask("EVAL", USAGE, 0).decode().splitlines()
        return {key: int(size) for key, size in (line.rsplit(" ", 1) for line in lines if line)}


def count_of_checks():
    return len(json.loads(subprocess.run([str(ORGSWEEP), "checks", "list", "--json"], capture_output=True, check=True).stdout)["checks"])


def best_rate(told, seconds):
    """Jobs/s in the best stretch of that length."""
    length = max(1, int(1000 * seconds / told["step_ms"]))
    steps = told["received"]
    if len(steps) <= length:
        return sum(steps) / (len(steps) * told["step_ms"] / 1000)
    total = best = sum(steps[:length])
    for index in range(length, len(steps)):
        total += steps[index] - steps[index - length]
        best = max(best, total)
    return best / seconds


# --- the parts ---

def whole(accounts, regions):
    with Place() as place:
        run = Run(place, Simulator(place, "--accounts", accounts, "--regions", regions, "--seed", 7))
        run.start()
        run.start_noop(count_of_checks())
        told = run.finish_noop(60 + accounts / 20)
        jobs, name = told["done"], f"{accounts:,} × {regions}"
        first, last = told["first_ms"] / 1000, told["last_ms"] / 1000
        begun = first - run.began
        peak = run.watch.peaks["coordinator"] / 1024
        allowed = 100 + accounts / 1024
        yield Row(f"{name}: jobs", jobs, "", "", "", "sealed in Redis, none lost, none stale")
        yield Row(f"{name}: from the start to the first job at a worker", begun, "s", "< 2 s", begun < 2, "process start to JOB received")
        yield Row(f"{name}: whole sweep", run.wall, "s", "", "", "process start to its end")
        yield Row(f"{name}: jobs/s over the whole sweep", jobs / (last - first), "/s", "", "",
                  "bound by ListAccounts (5 calls/s of 20 accounts, so as to leave half of it to others)")
        yield Row(f"{name}: jobs/s in the best second", best_rate(told, 1), "/s")
        for process in ("coordinator", "redis"):
            yield Row(f"{name}: {process} CPU per job", 1e6 * run.watch.between(process, run.began, last)[0] / jobs, "µs", "", "",
                      "all threads, from the start to the last job; entering accounts and correlation included")
        yield Row(f"{name}: coordinator peak memory", peak, "MiB", f"≤ {allowed:.1f} MiB (100 MiB + 1 KiB an account)", peak <= allowed, "VmHWM")
        yield Row(f"{name}: Redis memory per job", (run.redis_memory() - run.memory_before) / jobs, "bytes", "", "",
                  "used_memory after the sweep less before it; a seal without rows, the account's row shared by its jobs")


def entered(place, accounts, regions):
    """A sweep whose accounts are all open, and that has no worker yet."""
    run = Run(place, Simulator(place, "--accounts", accounts, "--regions", regions, "--seed", 7))
    run.start("--regions", "all")
    rows = lambda: sum(int(run.fleet.redis.ask("HLEN", key)) for key in run.fleet.redis.ask("KEYS", "swp:*:accounts").decode().split())
    wait_for(lambda: rows() == accounts, 60, "all accounts are entered")
    time.sleep(0.5)
    return run


def profile(accounts, regions):
    perf = shutil.which("perf")
    with Place() as place:
        run, data = entered(place, accounts, regions), place.path / "perf.data"
        if perf:
            recorder = subprocess.Popen([perf, "record", "-q", "-F", "2000", "-p", str(run.process.pid), "-o", str(data)], stderr=subprocess.DEVNULL)
            place.children.append(recorder)
            time.sleep(0.5)
        run.start_noop(count_of_checks())
        run.finish_noop(60)
        if not perf:
            return
        recorder.wait(20)
        told = subprocess.run([perf, "report", "-i", str(data), "--no-children", "-g", "none", "--sort", "comm,dso", "-F", "overhead,comm,dso"],
                              capture_output=True, text=True)
        shares = re.findall(r"^\s*([\d.]+)%\s+(\S+)\s+(\S+)", told.stdout, re.M)
        for share, thread, library in sorted(shares, key=lambda row: -float(row[0]))[:8]:
            yield Row(f"of the coordinator's CPU while it gives out jobs: {library}, thread {thread}", float(share), "%", "", "", "perf, 2,000 samples a second")


def dispatch(accounts, regions):
    with Place() as place:
        run = entered(place, accounts, regions)
        begun = time.monotonic()
        run.start_noop(count_of_checks())
        told = run.finish_noop(60)
        jobs, first, last = told["done"], told["first_ms"] / 1000, told["last_ms"] / 1000
        rate, name = jobs / (last - first), f"dispatch, {accounts} × {regions}"
        _, busiest = run.watch.between("coordinator", begun, last)
        yield Row(f"{name}: jobs/s", rate, "/s", "20,000 /s", rate >= 20000,
                  f"{jobs:,} jobs of accounts entered before, first to last JOB received; coordinator, Redis and "
                  f"{NOOP_WORKERS} no-op workers share {os.cpu_count()} cores with all else that runs")
        total = 0
        for process in ("coordinator", "redis", "noop"):
            used = run.watch.between(process, begun, last)[0]
            total += used
            yield Row(f"{name}: {process} CPU per job", 1e6 * used / jobs, "µs", "", "", "all threads")
        yield Row(f"{name}: busiest thread of the coordinator, CPU per job", 1e6 * busiest / jobs, "µs", "50 µs (20,000 /s on a core)",
                  busiest / jobs <= 50e-6, "what bounds it where each process has a core; ZeroMQ's thread with its encryption is another one")
        yield Row(f"{name}: jobs/s if all cores of this machine did only this", os.cpu_count() * jobs / total, "/s", "", "",
                  "cores ÷ CPU per job of all three: the bound of this machine")


def best_dispatch(accounts, regions, runs):
    """The run with the highest rate: what else happens on the machine only ever takes away."""
    return max((list(dispatch(accounts, regions)) for _ in range(runs)), key=lambda rows: rows[0].measured)


def speed_of(place_arguments, workers, credits, regions, accounts):
    with Place() as place:
        run = Run(place, Simulator(place, "--accounts", accounts, "--regions", regions, "--seed", 7, *place_arguments))
        run.start()
        for name in ("one", "two")[:workers]:
            run.start_worker(name, credits)
        run.finish(300)
        count, span = run.seals()
        calls = run.simulator.ask("statistics")["requests"]
        cpu = {name: run.watch.whole(name) for name in run.watch.pids}
        simulator = sum(int(pathlib.Path(f"/proc/{run.simulator.process.pid}/task/{task}/schedstat").read_text().split()[0])
                        for task in os.listdir(f"/proc/{run.simulator.process.pid}/task")) / 1e9
        return {"rate": 1000 * count / max(1, span), "jobs": count, "calls": calls, "cpu": cpu, "simulator": simulator,
                "worker": sum(cpu[name] for name in ("one", "two")[:workers])}


def best_speeds(runs, *arguments):
    """Of one and of two workers the run with the highest rate each; the two take turns, as the machine's speed changes."""
    place_arguments, credits, regions, accounts = arguments
    turns = [[speed_of(place_arguments, workers, credits, regions, accounts) for workers in (1, 2)] for _ in range(runs)]
    return (max((turn[index] for turn in turns), key=lambda result: result["rate"]) for index in (0, 1))


def speed_up(runs, regions, latency_ms, waiting, busy):
    for title, arguments, credits, accounts in (
            (f"waiting for AWS ({latency_ms} ms an answer, {FEW_CREDITS} jobs at once a worker)", ("--latency-ms", latency_ms), FEW_CREDITS, waiting),
            ("processor-bound (no latency)", (), None, busy)):
        one, two = best_speeds(runs, arguments, credits, regions, accounts)
        ratio = two["rate"] / one["rate"]
        everything = sum(one["cpu"].values()) + one["simulator"]
        share = one["worker"] / everything
        bound = max(1, min(2, os.cpu_count() * share)) if credits is None else 2
        yield Row(f"{title}: jobs/s, 1 worker", one["rate"], "/s", "", "", f"{accounts} accounts × {regions}; first seal to last seal; the best of {runs}")
        yield Row(f"{title}: speed-up with 2 workers", ratio, "×", "", "",
                  f"most that is possible here: {bound:.2f}" + ("" if credits else
                                                                f", as the worker takes {share:.0%} of the {os.cpu_count()} cores' work and the rest (simulator, coordinator, "
                                                                "Redis) grows with it"))
        if credits is None:
            yield Row("calls per job, real sweep", one["calls"] / one["jobs"], "", "", "", "all of the sweep's calls ÷ jobs, seeded organization")
            yield Row("worker CPU per call", 1e6 * one["worker"] / one["calls"], "µs", "", "", "one worker, all threads")
            yield Row("worker CPU per call, 2 workers", 1e6 * two["worker"] / two["calls"], "µs", "", "", "both together; each has its own connections to make")
            yield Row("coordinator CPU per job, real sweep", 1e6 * one["cpu"]["coordinator"] / one["jobs"], "µs", "", "", "all of it")
            yield Row("Redis CPU per job, real sweep", 1e6 * one["cpu"]["redis"] / one["jobs"], "µs", "", "", "all of it")


def row_bytes(accounts, regions, rows, fail):
    """Mean MEMORY USAGE of a job whose part has so many rows."""
    with Place() as place:
        run = Run(place, Simulator(place, "--accounts", accounts, "--regions", regions, "--seed", 7))
        run.start()
        run.start_noop(count_of_checks(), rows, fail)
        run.finish_noop(120)
        sizes = [size for key, size in run.usage().items() if ":job:" in key]
        return sum(sizes) / len(sizes)


def bytes_of_rows(accounts, regions, rows):
    empty = row_bytes(accounts, regions, 0, False)
    for title, fail in (("FAIL", True), ("PASS", False)):
        yield Row(f"bytes in Redis per {title} result", (row_bytes(accounts, regions, rows, fail) - empty) / rows, "bytes", "", "",
                  f"MEMORY USAGE of jobs with {rows} such results (an ARN and two evidence fields each) less that of jobs with none, ÷ {rows}")
    yield Row("bytes in Redis per job that has no result", empty, "bytes", "", "", "MEMORY USAGE: key, grant, seal with its cells")


def bytes_of_sweep(accounts, regions):
    with Place() as place:
        run = Run(place, Simulator(place, "--accounts", accounts, "--regions", regions, "--seed", 7))
        report = place.path / "report.json"
        run.start("--all", "--output", report)
        run.start_worker("one")
        run.finish(300)
        results = collections.Counter(row["status"] for row in json.loads(report.read_text())["results"])
        usage = run.usage()
        jobs = [size for key, size in usage.items() if ":job:" in key]
        others = sum(size for key, size in usage.items() if ":job:" not in key and ":catalogue:" not in key)
        told = ", ".join(f"{count:,} {status}" for status, count in sorted(results.items()))
        yield Row("real sweep: bytes in Redis per job", sum(jobs) / len(jobs), "bytes", "", "",
                  f"MEMORY USAGE of its {len(jobs):,} jobs; results: {told}; facts and gaps included")
        yield Row("real sweep: bytes in Redis per account beside its jobs", others / accounts, "bytes", "", "", "accounts, chains, joined cells, partitions")
        yield Row("real sweep: FAIL results per job", results["FAIL"] / len(jobs), "")
        yield Row("real sweep: PASS results per job", results["PASS"] / len(jobs), "")
        yield Row("real sweep: all of Redis per job", (run.redis_memory() - run.memory_before) / len(jobs), "bytes", "", "",
                  "used_memory after the sweep less before it, the catalogue included")


# --- the table ---

def shown(row):
    value = row.measured
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    met = {True: "yes", False: "**no**"}.get(row.met, "")
    return f"| {row.figure} | {number} | {row.unit} | {row.target} | {met} | {row.how} |"


TEXT = """# How large may an organization be?

For the person who plans a large one, and the engineer who makes it faster. Made by

```
meson setup build --buildtype=release && ninja -C build
tests/.environment/bin/python tests/bench/scale.py build --output docs/scale.md
python3 tests/bench/sizing.py docs/scale.md --output docs/sizing.md
```

What it means for hosts and Redis: [sizing.md](sizing.md). How fast a worker is: [benchmark.md](benchmark.md).

- **What bounds a whole sweep** is not the coordinator: ListAccounts gives 20 accounts a call, and is asked five times a second, so that half of
  Organizations' limit is left to others. That is 100 accounts, or 1,700 jobs, a second with 17 regions; AssumeRole (300 a second, half of AWS's limit)
  would be the next bound, at 5,100 jobs a second. So *whole sweep* rows tell of these limits and of processor time a job, not of what the coordinator
  could give out.
- **What the coordinator can give out** is the *dispatch* rows: as many accounts as may be open are entered before any worker is there; then workers come
  that make no AWS call, but take each JOB, commit a seal with a cell for each check by the real script, and say DONE. Grant, JOB with its signing keys, CURVE,
  seal, DONE and correlation of each account are all in it; neither Organizations nor STS is. The first to the last JOB that a worker received is what
  is counted.
- **Load**: the load average stands in front of the table and behind it. Above the number of cores, others had a part of them, and rates are lower than
  what they are on a machine of one's own; processor time a job, memory and bytes hardly depend on it.
- **Two workers against one** on two cores, which the simulator, Redis and the coordinator share, can't show much where the processor is the limit: what is
  possible at most stands beside it, from the processor time that each took. Where AWS is waited for (few jobs at once a worker, slow answers) it
  shows whether a second worker brings twice as much.
- **Bytes**: MEMORY USAGE of Redis, which counts a key with its name and value.
"""


def head():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    return (f"{os.cpu_count()} cores, {model}; load average (1 min) when it began {os.getloadavg()[0]:.1f}. Simulator, Redis, coordinator, workers and sampler "
            f"all on this machine.\n\n| figure | measured | unit | target | met | how |\n|---|---|---|---|---|---|")


def parts(options):
    short = options.short
    yield "whole", [lambda size=size: whole(size, options.regions) for size in options.accounts]
    yield "dispatch", [lambda regions=regions: best_dispatch(12 if short else OPEN_ACCOUNTS, regions, 1 if short else DISPATCH_RUNS) for regions in ((3,) if short else (17, 34))]
    yield "profile", [lambda: profile(12 if short else OPEN_ACCOUNTS, 3 if short else 34)]
    yield "speed-up", [lambda: speed_up(1 if short else RUNS, options.regions, *((20, 3, 3) if short else (300, 12, 60)))]
    yield "bytes", [lambda: bytes_of_rows(3 if short else 20, options.regions, 20), lambda: bytes_of_sweep(3 if short else 60, options.regions)]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--accounts", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--regions", type=int, default=17)
    parser.add_argument("--only", nargs="+", choices=("whole", "dispatch", "profile", "speed-up", "bytes"))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    if options.short:
        options.accounts, options.regions = [12], 3
    return options


def prove_sizing(lines):
    """Raises where the table lacks what sizes are computed from."""
    with Place() as place:
        table = place.path / "scale.md"
        table.write_text("\n".join(lines) + "\n")
        sizing.model_of(table)


def main():
    options = parse()
    lines = [head()]
    print(lines[0], flush=True)
    for name, measurements in parts(options):
        for measure in measurements if not options.only or name in options.only else ():
            for row in measure():
                lines.append(shown(row))
                print(lines[-1], flush=True)
    if options.output:
        options.output.write_text("\n".join([TEXT, *lines, "", f"Load average when it ended: {os.getloadavg()[0]:.1f}."]) + "\n")
    if options.short:
        prove_sizing(lines)
        print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
