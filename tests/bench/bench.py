"""The benchmark: orgsweep against the simulator over TLS, beside a tuned boto3, Prowler and cloud-audit, in one run.

usage: bench.py BUILD [--accounts N] [--regions N] [--rivals] [--hosts] [--memory] [--nginx] [--everything] [--short] [--output FILE.md]

BUILD is a release build. --rivals adds Prowler and cloud-audit (from PyPI, in environments of their own). --hosts adds the run with
real AWS host names in a network namespace (root). --memory adds 20 against 2,000 accounts. --nginx measures the simulator against
nginx (nginx, wrk). --short is a small form of everything but the rivals and nginx that proves that it works (no number of it is worth
quoting). Prints Markdown tables; ratios are of this run. orgsweep has one worker process, which is one core.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import hosts
import measure
import rivals
from measure import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS = 1
IN_FLIGHT_LIMIT = 512  # SWP_LIMIT_CALLS_IN_FLIGHT
LATENCY_MS = 30
CHAIN_CALLS = 5  # dependent calls of one account: AssumeRole, ListRegions, then list, describe, followed describe
WARM_SHARE = 0.2  # of the calls: the warm-up
IN_FLIGHT_WITH_LATENCY = 150  # about what a worker has at 30 ms
TOKEN_BYTES = 700  # of a session token, about
RUNS = 3
OURS = ("orgsweep", "orgsweep-worker", "redis-server")


def sweep(build, simulator, home, *arguments, hosts_resolve=False, watched=False):
    shutil.rmtree(home / "state", ignore_errors=True)
    result = measure.run([build / "coordinator/orgsweep", "sweep", "--quiet", "--workers", WORKERS, "--fail-on", "none", "--min-coverage", "0",
                          *arguments], simulator.environment(home, hosts_resolve), simulator, home, watched)
    if result["code"]:
        raise SystemExit(f"the sweep failed: {result['errors'][-2000:]}")
    return result


def best_sweep(runs, *arguments, **options):
    """The run with the least wall time: what else happens on the machine only ever adds."""
    return min((sweep(*arguments, **options) for _ in range(runs)), key=lambda result: result["wall"])


def microseconds(seconds, result):
    return 1e6 * seconds / max(1, result["calls"])


def cpu_of(result, name):
    return result["processes"].get(name, [0, 0, 0])[0]


def peak_of(result, name):
    return result["processes"].get(name, [0, 0, 0])[1] / 1024


def waited_for_a_core(result):
    return result["processes"].get("orgsweep-worker", [0, 0, 0])[2]


def handshakes_after_warm_up(result):
    """Handshakes per call from the sample on that has seen the warm-up's share of the calls."""
    warm = next((row for row in result["samples"] if row[1] >= WARM_SHARE * result["calls"]), None)
    return (result["handshakes"] - warm[2]) / max(1, result["calls"] - warm[1]) if warm else None


def first_job_seconds(result):
    """From ListAccounts' first answer being on its way to the first call of a job, as the simulator saw them."""
    listed = next((row[0] for row in result["samples"] if row[3]), None)
    job = next((row[0] for row in result["samples"] if row[4]), None)
    return job - listed if listed is not None and job is not None else None


def libcurl_alone(build, simulator, home, in_flight, calls):
    """µs of CPU a call of a bare libcurl client with the same requests and a header as long as a session token."""
    done = subprocess.run([build / "tests/bench/bench-libcurl", str(calls), str(in_flight), str(TOKEN_BYTES)], capture_output=True, text=True,
                          env=simulator.environment(home))
    if done.returncode:
        raise SystemExit(f"bench-libcurl failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)["cpu_us"]


def best_sweep_and_floor(runs, build, simulator, home, in_flight, calls):
    """The sweep with the least wall time, and the least CPU time of libcurl alone; the two take turns, as the machine's speed changes."""
    results, floors = [], []
    for _ in range(runs):
        floors.append(libcurl_alone(build, simulator, home, in_flight, calls))
        results.append(sweep(build, simulator, home, watched=True))
    best = min(results, key=lambda result: result["wall"])
    best["libcurl"] = min(floors)
    best["least worker CPU"] = min(cpu_of(result, "orgsweep-worker") / result["calls"] for result in results) * 1e6
    return best


def sweep_rows(result, latency_ms):
    worker = cpu_of(result, "orgsweep-worker")
    bounds = (worker / WORKERS, CHAIN_CALLS * latency_ms / 1000, result["calls"] * latency_ms / 1000 / IN_FLIGHT_LIMIT)
    warm, first = handshakes_after_warm_up(result), first_job_seconds(result)
    yield "calls", f"{result['calls']:,}"
    yield "wall", f"{result['wall']:.2f} s"
    yield "calls/s", f"{result['calls'] / result['wall']:,.0f}"
    if "libcurl" in result:
        yield "libcurl alone, same requests, CPU per call", f"{result['libcurl']:.0f} µs"
        yield "worker CPU per call in the run that took the least ÷ libcurl alone", f"{result['least worker CPU'] / result['libcurl']:.2f}"
    for title, name in (("worker", "orgsweep-worker"), ("coordinator", "orgsweep"), ("Redis", "redis-server")):
        yield f"{title} CPU per call", f"{microseconds(cpu_of(result, name), result):.0f} µs"
    yield "all processes of ours, CPU per call", f"{microseconds(result['cpu'], result):.0f} µs"
    yield "of these not seen by sampling", f"{microseconds(result['cpu'] - sum(cpu_of(result, name) for name in OURS), result):.1f} µs"
    yield "simulator CPU per call", f"{microseconds(result['simulator_cpu'], result):.0f} µs"
    yield "TLS handshakes per call", f"{result['handshakes'] / max(1, result['calls']):.4f}"
    if warm is not None:
        yield f"TLS handshakes per call after the first {WARM_SHARE:.0%} of them", f"{max(0, warm):.4f}"
    if first is not None:
        yield "from the list of accounts to the first job's first call", f"{first:.2f} s"
    yield "peak memory: worker / coordinator / Redis", " / ".join(f"{peak_of(result, name):.1f} MiB" for name in
                                                                  ("orgsweep-worker", "orgsweep", "redis-server"))
    yield "bound: calls × CPU per call ÷ workers", f"{bounds[0]:.2f} s"
    yield "bound: longest chain of one account × latency", f"{bounds[1]:.2f} s"
    yield "bound: calls × latency ÷ in-flight limit", f"{bounds[2]:.2f} s"
    yield "wall ÷ largest bound", f"{result['wall'] / max(bounds):.2f}"
    yield "of the wall: the worker was ready and others had its core", f"{waited_for_a_core(result):.2f} s"
    yield "(wall − that) ÷ largest bound", f"{(result['wall'] - waited_for_a_core(result)) / max(bounds):.2f}"


def print_sweep(out, title, result, latency_ms):
    print(f"\n### {title}\n\n| figure | value |\n|---|---|", file=out)
    for name, value in sweep_rows(result, latency_ms):
        print(f"| {name} | {value} |", file=out)
    out.flush()


def print_rivals(out, ours, rows, remarks):
    print("\n### Beside others: same simulator, same latency, same run\n\n| tool | accounts × regions | calls | wall | calls/s | CPU per call "
          "| handshakes per call | peak memory | orgsweep makes as many calls/s × | with CPU per call ÷ |\n"
          "|---|---|---|---|---|---|---|---|---|---|", file=out)
    our_rate, our_cpu = ours["calls"] / ours["wall"], ours["cpu"] / ours["calls"]
    for name, scope, result in rows:
        rate, cpu = result["calls"] / result["wall"], result["cpu"] / max(1, result["calls"])
        peak = max((row[1] for row in result["processes"].values()), default=0) / 1024
        print(f"| {name} | {scope} | {result['calls']:,} | {result['wall']:.1f} s | {rate:,.0f} | {1e6 * cpu:,.0f} µs "
              f"| {result['handshakes'] / max(1, result['calls']):.3f} | {peak:.0f} MiB | {our_rate / rate:.1f} | {cpu / our_cpu:.1f} |", file=out)
    for remark in remarks:
        print(f"\n{remark}", file=out)
    out.flush()


def regions_of(build, folder, count):
    """The names of the simulator's first regions."""
    done = subprocess.run([str(build / "tests/simulator/orgsweep-simulator"), "--print-organization", "--accounts", "1", "--regions", str(count),
                           "--state", str(folder / "print")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["regions"]


def memory_table(out, build, folder, home, regions, sizes):
    print(f"\n### Memory against the number of accounts ({regions} regions each, `--all` report included)\n\n| accounts | coordinator peak "
          "| worker peak | Redis peak | report |\n|---|---|---|---|---|", file=out)
    peaks = []
    for accounts in sizes:
        simulator = Simulator(build, folder, "--accounts", accounts, "--regions", regions, "--seed", 7)
        try:
            result = sweep(build, simulator, home, "--all", "--output", home / "report.json")
        finally:
            simulator.close()
        peaks.append(peak_of(result, "orgsweep"))
        print(f"| {accounts:,} | {peaks[-1]:.1f} MiB | {peak_of(result, 'orgsweep-worker'):.1f} MiB | {peak_of(result, 'redis-server'):.1f} MiB "
              f"| {(home / 'report.json').stat().st_size / 1e6:.1f} MB |", file=out)
    allowed = 4 + (sizes[1] - sizes[0]) / 1024
    print(f"\nThe coordinator has grown by {peaks[1] - peaks[0]:.1f} MiB; the target is at most {allowed:.1f} MiB (4 MiB and 1 KiB an account).",
          file=out)
    out.flush()


def nginx_table(out, build):
    done = subprocess.run(["sh", str(ROOT / "tests/simulator/bench-nginx.sh"), str(build / "tests/simulator/orgsweep-simulator"), "3"],
                          capture_output=True, text=True, env={**os.environ, "PATH": f"{rivals.environment_of('boto3') / 'bin'}:{os.environ['PATH']}"})
    print("\n### The simulator itself, against nginx with the same bodies over TLS on one core\n\n```", file=out)
    print(done.stdout.rstrip() or f"not measured: {done.stderr.strip()[-400:]}", file=out)
    print("```", file=out)
    out.flush()


def rival_rows(build, folder, home, options, ours):
    simulator = Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms", LATENCY_MS)
    regions, few = regions_of(build, folder, options.regions), 2 if options.short else 16
    remarks = []
    try:
        rows = [("orgsweep, 1 worker", f"{options.accounts} × {options.regions}", ours)]
        if not options.short:
            rows.append(("boto3 as tuned as it gets, 16 threads", f"{few} × {options.regions}", rivals.boto3(simulator, home, few, regions)))
        if options.rivals:
            found, remarks = rivals.of_one_account(simulator, home, regions)
            rows += [(name, f"1 × {len(regions)}", result) for name, result in found]
    finally:
        simulator.close()
    return rows, remarks


def measure_all(out, build, folder, home, options):
    results, runs = {}, 1 if options.short else RUNS
    for latency in (0, LATENCY_MS):
        simulator = Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms", latency)
        try:
            in_flight = 32 if latency == 0 else IN_FLIGHT_WITH_LATENCY
            results[latency] = best_sweep_and_floor(runs, build, simulator, home, in_flight, 2000 if options.short else 20000)
        finally:
            simulator.close()
        print_sweep(out, f"{latency} ms a response", results[latency], latency)
    if options.hosts:
        result = hosts.sweep_by_names(build, folder, home, options, runs)
        if isinstance(result, str):
            print(f"\n### Real host names\n\n{result}", file=out)
        else:
            print_sweep(out, f"{LATENCY_MS} ms a response, AWS's real host names ({hosts.count(options.regions)} of them)", result, LATENCY_MS)
    rows, remarks = rival_rows(build, folder, home, options, results[LATENCY_MS])
    if len(rows) > 1:
        print_rivals(out, results[LATENCY_MS], rows, remarks)
    if options.memory:
        memory_table(out, build, folder, home, options.regions if options.short else 2, (4, 12) if options.short else (20, 2000))
    if options.nginx:
        nginx_table(out, build)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--regions", type=int, default=17)
    for name in ("rivals", "hosts", "memory", "nginx", "everything", "short"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    if options.everything:
        options.rivals = options.hosts = options.memory = options.nginx = True
    if options.short:
        options.accounts, options.regions, options.memory, options.hosts = 6, 3, True, True
    return options


def main():
    options = parse()
    out = open(options.output, "w") if options.output else sys.stdout
    folder = pathlib.Path(tempfile.mkdtemp(prefix="orgsweep-bench-"))
    home = folder / "home"
    home.mkdir()
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    print(f"{os.cpu_count()} cores, {model}, load average at the start {os.getloadavg()[0]:.1f}; {options.accounts} accounts × {options.regions} regions × 5 checks; "
          f"{WORKERS} worker; simulator and all else on this machine; best of {1 if options.short else RUNS} runs", file=out)
    try:
        measure_all(out, options.build.resolve(), folder, home, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.short:
        print("1 passed, 0 failed", file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
