"""The benchmark: orgsweep against the simulator over TLS, beside a tuned boto3, Prowler and cloud-audit, in one run.

usage: bench.py BUILD [--accounts N] [--regions N] [--rivals] [--hosts] [--memory] [--short] [--output FILE.md]

BUILD is a release build. --rivals installs Prowler and cloud-audit into an environment of their own (PyPI). --hosts adds the run
with real AWS host names in a network namespace (root). --memory adds 20 against 2,000 accounts. --short is a small form of
everything that proves that it works (no number of it is worth quoting). Prints Markdown tables; ratios are of this run.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
WORKER_CORES = 1


class Sampler(threading.Thread):
    """CPU seconds and peak memory of every process below one, by name, read until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.root, self.seen, self.stop = pid, {}, False

    def family(self):
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    parents[int(entry.name)] = int(fields[1])
                except OSError:
                    continue
        members = {self.root}
        grown = True
        while grown:
            fresh = {pid for pid, parent in parents.items() if parent in members} - members
            members |= fresh
            grown = bool(fresh)
        return members

    def sample(self, pid):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        name = stat.split("(", 1)[1].rsplit(")", 1)[0]
        fields = stat.rsplit(")", 1)[1].split()
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        old = self.seen.get(pid, (name, 0, 0))
        self.seen[pid] = (name, max(cpu, old[1]), max(peak, old[2]))

    def run(self):
        members, looked = {self.root}, 0.0
        while not self.stop:
            if time.monotonic() - looked > 0.25:
                members, looked = self.family(), time.monotonic()
            for pid in members:
                self.sample(pid)
            time.sleep(0.02)

    def table(self):
        rows = {}
        for name, cpu, peak in self.seen.values():
            known = rows.setdefault(name, [0.0, 0])
            known[0] += cpu
            known[1] = max(known[1], peak)
        return rows


class Simulator:
    def __init__(self, build, folder, *arguments, listen="127.0.0.1:0", prefix=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        ready = self.folder / "ready"
        self.process = subprocess.Popen([*prefix, str(build / "tests/simulator/orgsweep-simulator"), "--listen", listen, "--state",
                                         str(self.folder), "--ready-file", str(ready), "--die-with-parent", *map(str, arguments)])
        end = time.monotonic() + 20
        while not ready.exists() or not ready.read_text().strip().endswith("}"):
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("the simulator did not start")
            time.sleep(0.02)
        self.ready = json.loads(ready.read_text())
        self.url = f"https://127.0.0.1:{self.ready['port']}"
        self.prefix = list(prefix)

    def environment(self, home, hosts=False):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ORGSWEEP_", "XDG_")) and "proxy" not in k.lower()}
        kept.update(HOME=str(home), XDG_STATE_HOME=str(home / "state"), AWS_CA_BUNDLE=self.ready["ca"], AWS_REGION="us-east-1",
                    AWS_ACCESS_KEY_ID=self.ready["access_key_id"], AWS_SECRET_ACCESS_KEY=self.ready["secret_access_key"],
                    AWS_EC2_METADATA_DISABLED="true", REQUESTS_CA_BUNDLE=self.ready["ca"])
        if not hosts:
            kept["AWS_ENDPOINT_URL"] = self.url
        return kept

    def ask(self, path, method="GET"):
        return json.loads(subprocess.run([*self.prefix, "curl", "-s", "--cacert", self.ready["ca"], "-X", method,
                                          f"{self.url}/_simulator/{path}"], capture_output=True, text=True, check=True).stdout or "{}")

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def timed(command, environment, simulator, cwd, prefix=()):
    """Runs a command; what it took and what the simulator saw of it."""
    simulator.ask("reset-statistics", "POST")
    before, start = simulator.cpu(), time.monotonic()
    process = subprocess.Popen([*prefix, *map(str, command)], env=environment, cwd=cwd, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    sampler = Sampler(process.pid)
    sampler.start()
    _, errors = process.communicate()
    wall = time.monotonic() - start
    sampler.stop = True
    sampler.join()
    seen = simulator.ask("statistics")
    return {"wall": wall, "code": process.returncode, "errors": errors, "processes": sampler.table(), "calls": seen["requests"],
            "handshakes": seen["tls_handshakes"], "in_flight": seen.get("in_flight_peak", 0), "simulator_cpu": simulator.cpu() - before}


def sweep(build, simulator, home, *arguments, hosts=False):
    shutil.rmtree(home / "state", ignore_errors=True)
    result = timed([build / "coordinator/orgsweep", "sweep", "--quiet", "--workers", WORKER_CORES, "--fail-on", "none", "--min-coverage", "0",
                    *arguments], simulator.environment(home, hosts), simulator, home, simulator.prefix)
    if result["code"]:
        raise SystemExit(f"the sweep failed: {result['errors'][-2000:]}")
    return result


def microseconds(result, name):
    return 1e6 * result["processes"].get(name, [0, 0])[0] / max(1, result["calls"])


def longest_chain(latency_ms):
    """Dependent calls of one account: AssumeRole, ListRegions, then list → describe → followed describe."""
    return 5 * latency_ms / 1000


def print_sweep(out, title, result, latency_ms, limit):
    worker = microseconds(result, "orgsweep-worker")
    ours = sum(microseconds(result, name) for name in ("orgsweep", "orgsweep-worker", "redis-server"))
    bounds = (result["calls"] * worker / 1e6 / WORKER_CORES, longest_chain(latency_ms), result["calls"] * latency_ms / 1000 / limit)
    bound = max(bounds)
    memory = {name: peak / 1024 for name, (_, peak) in result["processes"].items()}
    rows = [
        ("calls", f"{result['calls']:,}"), ("wall", f"{result['wall']:.2f} s"), ("calls/s", f"{result['calls'] / result['wall']:,.0f}"),
        ("worker CPU per call", f"{worker:.0f} µs"), ("coordinator CPU per call", f"{microseconds(result, 'orgsweep'):.0f} µs"),
        ("Redis CPU per call", f"{microseconds(result, 'redis-server'):.0f} µs"), ("all processes of ours, CPU per call", f"{ours:.0f} µs"),
        ("simulator CPU per call", f"{1e6 * result['simulator_cpu'] / max(1, result['calls']):.0f} µs"),
        ("TLS handshakes per call", f"{result['handshakes'] / max(1, result['calls']):.4f}"),
        ("peak memory: worker / coordinator / Redis", " / ".join(f"{memory.get(n, 0):.1f} MiB" for n in ("orgsweep-worker", "orgsweep", "redis-server"))),
        ("bound: calls × CPU ÷ workers", f"{bounds[0]:.2f} s"), ("bound: longest chain × latency", f"{bounds[1]:.2f} s"),
        ("bound: calls × latency ÷ in-flight limit", f"{bounds[2]:.2f} s"), ("wall ÷ bound", f"{result['wall'] / bound:.2f}"),
    ]
    print(f"\n### {title}\n\n| figure | value |\n|---|---|", file=out)
    for name, value in rows:
        print(f"| {name} | {value} |", file=out)


def rival_boto3(simulator, home, accounts, regions):
    result = timed([sys.executable, ROOT / "tests/bench/rival-boto3.py", "--accounts", accounts, "--regions", ",".join(regions)],
                   simulator.environment(home), simulator, home)
    if result["code"]:
        raise SystemExit(f"boto3 rival failed: {result['errors'][-2000:]}")
    return result


def cpu_of(result):
    return sum(cpu for cpu, _ in result["processes"].values())


def peak_of(result):
    return max((peak for _, peak in result["processes"].values()), default=0) / 1024


def print_rivals(out, ours, rows):
    print("\n### Beside others, same simulator, same run\n\n| tool | accounts × regions | wall | calls/s | CPU per call | handshakes per call "
          "| peak memory | orgsweep is faster (calls/s) |\n|---|---|---|---|---|---|---|---|", file=out)
    our_rate = ours["calls"] / ours["wall"]
    for name, scope, result in rows:
        rate = result["calls"] / result["wall"]
        print(f"| {name} | {scope} | {result['wall']:.1f} s | {rate:,.0f} | {1e6 * cpu_of(result) / max(1, result['calls']):,.0f} µs "
              f"| {result['handshakes'] / max(1, result['calls']):.3f} | {peak_of(result):.0f} MiB | {our_rate / rate:.0f} × |", file=out)


def regions_of(build, folder, count):
    """The names of the simulator's first regions."""
    done = subprocess.run([str(build / "tests/simulator/orgsweep-simulator"), "--print-organization", "--accounts", "1", "--regions", str(count),
                           "--state", str(folder / "print")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["regions"]


def rival_environment():
    folder = ROOT / "tests/.environment-bench"
    wanted = (ROOT / "tests/bench/requirements.txt").read_text()
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "-q", "--disable-pip-version-check", "-r", str(ROOT / "tests/bench/requirements.txt")],
                       check=True)
        stamp.write_text(wanted)
    return folder / "bin"


def rivals_of_one_account(simulator, home, regions):
    binaries = rival_environment()
    rows = []
    checks = ["bedrock_model_invocation_logging_enabled", "bedrock_guardrails_configured", "sagemaker_notebook_instance_root_access_disabled",
              "sagemaker_notebook_instance_without_direct_internet_access_configured", "sagemaker_endpoint_config_kms_encryption_enabled"]
    commands = [
        ("Prowler, five checks", [binaries / "prowler", "aws", "-c", *checks, "-f", *regions, "--no-banner", "-M", "json-ocsf", "-o", home / "prowler"]),
        ("cloud-audit, AI checks", [binaries / "cloud-audit", "scan", "--regions", ",".join(regions), "--categories", "ai"]),
    ]
    for name, command in commands:
        result = timed(command, simulator.environment(home), simulator, home)
        if result["calls"] == 0:
            print(f"{name}: made no call: {result['errors'][-400:]}", file=sys.stderr)
            continue
        rows.append((name, f"1 × {len(regions)}", result))
    return rows


def memory_table(out, build, folder, regions, sizes):
    print("\n### Memory against the number of accounts (report with --all included)\n\n| accounts | coordinator peak | worker peak | Redis peak |\n"
          "|---|---|---|---|", file=out)
    for accounts in sizes:
        simulator = Simulator(build, folder, "--accounts", accounts, "--regions", regions, "--seed", 7)
        home = pathlib.Path(tempfile.mkdtemp(dir=folder))
        try:
            result = sweep(build, simulator, home, "--all", "--output", home / "report.json")
        finally:
            simulator.close()
        memory = {name: peak / 1024 for name, (_, peak) in result["processes"].items()}
        print(f"| {accounts:,} | {memory.get('orgsweep', 0):.1f} MiB | {memory.get('orgsweep-worker', 0):.1f} MiB | "
              f"{memory.get('redis-server', 0):.1f} MiB |", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--regions", type=int, default=17)
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--hosts", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    build = options.build.resolve()
    if options.short:
        options.accounts, options.regions, options.memory = 6, 3, True
    out = open(options.output, "w") if options.output else sys.stdout
    folder = pathlib.Path(tempfile.mkdtemp(prefix="orgsweep-bench-"))
    home = folder / "home"
    home.mkdir()
    limit = 512
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    print(f"{os.cpu_count()} cores, {model}; {options.accounts} accounts × {options.regions} regions × 5 checks; 1 worker; everything on this machine", file=out)
    try:
        results = {}
        for latency in (0, 30):
            simulator = Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms", latency)
            results[latency] = sweep(build, simulator, home)
            print_sweep(out, f"{latency} ms a response", results[latency], latency, limit)
            simulator.close()
        if options.hosts:
            from hosts import sweep_by_names
            sweep_by_names(out, build, folder, home, options, limit)
        simulator = Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms", 30)
        regions = regions_of(build, folder, options.regions)
        few = 2 if options.short else 8
        rows = [("orgsweep, 1 worker", f"{options.accounts} × {options.regions}", results[30]),
                ("tuned boto3, 16 threads", f"{few} × {options.regions}", rival_boto3(simulator, home, few, regions))]
        if options.rivals:
            rows += rivals_of_one_account(simulator, home, regions)
        simulator.close()
        print_rivals(out, results[30], rows)
        if options.memory:
            memory_table(out, build, folder, options.regions if options.short else 2, (4, 12) if options.short else (20, 2000))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("1 passed, 0 failed" if options.short else "", end="\n" if options.short else "")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
