"""/metrics of a real sweep and a real worker: the numbers are the report's, the text is what Prometheus wants, the alerts are about what there is."""
import json
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml
from common import ORGSWEEP, ROOT, SEVERITIES, WORKER, Simulator, Skipped, Suite, check_report, orgsweep, sweep, wait_for
from fleet import Fleet
from peers import Redis, free_port, write_keys

suite = Suite()
SIZE = ("--seed", 41, "--accounts", 10, "--regions", 4)
SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
ALERTS, ALERTS_TEST = ROOT / "deploy" / "alerts.yaml", ROOT / "deploy" / "alerts-test.yaml"


# --- reading what is served ---

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(port, path="/metrics"):
    """(status, body, content type)"""
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), refused.headers["Content-Type"]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Metrics:
    """The text, held to the format as strictly as Prometheus' own parser is not: no sample and no TYPE twice, histograms that add up."""

    def __init__(self, text):
        self.text, self.samples, self.kinds = text, {}, {}
        assert text.endswith("\n")
        helped = current = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                helped = line.split()[2]
                assert helped not in self.kinds, f"{helped} twice"
                continue
            if line.startswith("# TYPE "):
                _, _, current, kind = line.split()
                assert current == helped, "HELP and TYPE are of one metric"
                self.kinds[current] = kind
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            pairs = tuple(LABEL.findall(labels or ""))
            assert ",".join(f'{key}="{text}"' for key, text in pairs) == (labels or ""), line
            base = re.sub(r"_(bucket|sum|count)$", "", name) if self.kinds.get(current) == "histogram" else name
            assert base == current, f"{name} stands under {current}"
            assert (name, pairs) not in self.samples, f"{line} twice"
            self.samples[name, pairs] = float(value)
        for name, kind in self.kinds.items():
            assert kind != "counter" or name.endswith("_total")
            if kind == "histogram":
                self.check_histogram(name)

    def check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.samples.items():
            if sample == name + "_bucket":
                series.setdefault(labels[:-1], []).append((float(labels[-1][1]), value))
        for labels, buckets in series.items():
            assert buckets == sorted(buckets) and [count for _, count in buckets] == sorted(count for _, count in buckets)
            assert buckets[-1] == (float("inf"), self.samples[name + "_count", labels])

    def __getitem__(self, name):
        return self.samples[name, ()]

    def of(self, name, **labels):
        """The sum over the samples that have these labels."""
        found = [value for (sample, has), value in self.samples.items() if sample == name and labels.items() <= dict(has).items()]
        assert found, f"no {name}{labels}"
        return sum(found)


def scrape(port):
    status, text, kind = ask(port)
    assert status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8", (status, kind)
    return Metrics(text)


def promtool(*arguments, text=None):
    program = shutil.which("promtool")
    if not program:
        raise Skipped("promtool (Debian package prometheus) is not installed")
    done = subprocess.run([program, *map(str, arguments)], input=text, capture_output=True, text=True, cwd=ROOT / "deploy")
    return done.returncode, done.stdout + done.stderr


def check_metrics(text):
    code, words = promtool("check", "metrics", text=text)
    assert code == 0 and not words.strip(), words


# --- a sweep whose end can be looked at ---

class Gate:
    """Between a coordinator and its Redis: once the coordinator has written that the sweep is finished, nothing more of what it says passes
    until `open`. Then the sweep is over and its report not yet read."""

    def __init__(self, place, redis):
        self.target, self.path = str(redis.socket), place.path / "gate"
        self.url = f"unix://{self.path}"
        self.finished, self.held, self.opened = threading.Event(), threading.Event(), threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            threading.Thread(target=self.serve, args=(client, server), daemon=True).start()

    def serve(self, client, server):
        try:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    piece = ready.recv(65536)
                    if not piece:
                        return
                    if ready is client and self.finished.is_set():
                        self.held.set()
                        self.opened.wait()
                    (server if ready is client else client).sendall(piece)
                    if ready is client and b"\r\nfinished\r\n" in piece:
                        self.finished.set()
        except OSError:
            pass
        finally:
            client.close()
            server.close()


class Watched:
    """A coordinator and one worker, both with metrics."""

    def __init__(self, place, simulator, redis, store, *arguments, worker=True):
        self.place, self.simulator, self.redis = place, simulator, redis
        self.keys, self.endpoint = place.path / "keys", f"tcp://127.0.0.1:{free_port()}"
        self.port, self.worker_port = free_port(), free_port()
        self.key, public = write_keys(place.path, "remote")
        (self.keys / "allowed").mkdir(parents=True)
        self.keys.chmod(0o700)
        shutil.copy(public, self.keys / "allowed")
        self.target = place.path / "report.json"
        self.errors = open(place.path / "errors", "w+")
        self.process = subprocess.Popen(
            [str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(self.target), "--listen", self.endpoint, "--keys", str(self.keys),
             "--workers", "0", "--store", store, "--metrics", f"127.0.0.1:{self.port}", *map(str, arguments)],
            env=simulator.environment(), stdout=subprocess.DEVNULL, stderr=self.errors, cwd=place.path)
        place.children.append(self.process)
        wait_for((self.keys / "server.pub").exists, 10, "the coordinator's own key")
        self.worker = self.start_worker() if worker else None

    def start_worker(self):
        environment = {k: v for k, v in self.simulator.environment().items() if k != "AWS_SECRET_ACCESS_KEY"}
        process = subprocess.Popen(
            [str(WORKER), "--connect", self.endpoint, "--key", str(self.key), "--server-key", str(self.keys / "server.pub"), "--store",
             self.redis.url, "--metrics", f"127.0.0.1:{self.worker_port}"], env=environment, stderr=open(self.place.path / "worker-errors", "a"))
        self.place.children.append(process)
        wait_for(lambda: listens(self.worker_port), 10, "the worker's metrics")
        return process

    def said(self):
        self.errors.flush()
        return open(self.errors.name).read()

    def finish(self):
        self.process.wait(120)
        assert self.target.exists(), self.said()
        text = self.target.read_text()
        check_report(json.loads(text), text)
        return json.loads(text)


@suite.test
def numbers_are_those_of_the_report(place):
    """With throttling, refusals, a role that is missing: calls, cells, findings, chains, coverage, jobs, accounts."""
    redis = Redis(place)
    gate = Gate(place, redis)
    simulator = Simulator(place, *SIZE, "--fault", "operation=bedrock:ListGuardrails,kind=throttle,times=1", "--fault",
                          "operation=sagemaker:ListEndpoints,kind=denied-identity-implicit")
    fleet = Watched(place, simulator, redis, gate.url)
    try:
        wait_for(gate.held.is_set, 90, f"the sweep's end: {fleet.said()}")
        own, worker = scrape(fleet.port), scrape(fleet.worker_port)
        up = lambda: scrape(fleet.worker_port).of("orgsweep_worker_coordinator_up", coordinator=fleet.endpoint)
        wait_for(lambda: up() == 0, 10, "the worker knows that there is nothing more to do for that coordinator")
    finally:
        gate.opened.set()
    report = fleet.finish()
    coverage, summary = report["coverage"], report["summary"]

    calls = {"total": "requests", "retried": "retries", "throttled": "throttles"}
    for member, name in calls.items():
        assert worker.of(f"orgsweep_worker_aws_{name}_total") + own[f"orgsweep_aws_{name}_total"] == summary["calls"][member], (member, summary["calls"])
    assert summary["calls"]["throttled"] > 0 and own["orgsweep_aws_requests_total"] > 10
    by_operation = simulator.ask("statistics")["by_operation"]
    for service in ("bedrock", "sagemaker"):
        asked = sum(count for name, count in by_operation.items() if name.startswith(service + ":"))
        assert worker.of("orgsweep_worker_aws_requests_total", service=service) == asked, (service, by_operation)
        retries = worker.of("orgsweep_worker_aws_retries_total", service=service)
        assert worker.of("orgsweep_worker_aws_calls_total", service=service) == asked - retries
    refused = worker.of("orgsweep_worker_aws_calls_total", outcome="refused")
    assert refused == worker.of("orgsweep_worker_aws_refusals_total") > 0
    assert worker.of("orgsweep_worker_aws_refusals_total", reason="denied-iam") > 0

    manual = {"sweep": "manual"}
    assert own.of("orgsweep_coverage_ratio", **manual) == round(coverage["percent"] / 100, 4)
    assert own.of("orgsweep_cells_planned", **manual) == coverage["planned"]
    for state in ("pass", "fail", "not_applicable", "not_assessed"):
        assert own.of("orgsweep_cells", state=state, **manual) == coverage[state], state
    for state in ("partial", "closed"):
        assert own.of(f"orgsweep_cells_{state}", **manual) == coverage[state], state
    for severity in SEVERITIES:
        assert own.of("orgsweep_findings", severity=severity, **manual) == summary["findings"][severity]
        confirmed = sum(chain["severity"] == severity and chain["status"] == "confirmed" for chain in report["chains"])
        assert own.of("orgsweep_chains", severity=severity, **manual) == confirmed
    assert own.of("orgsweep_accounts", **manual) == summary["accounts"]["total"]
    assert own.of("orgsweep_accounts", state="not_planned", **manual) == summary["accounts"]["total"] - summary["accounts"]["planned"]
    assert own.of("orgsweep_accounts", state="done", **manual) == summary["accounts"]["swept"]
    assert own.of("orgsweep_sweeps_total", **manual) == own.of("orgsweep_sweeps_total", status=report["sweep"]["status"], **manual) == 1
    assert own.of("orgsweep_sweep_running", **manual) == 0
    assert abs(own.of("orgsweep_sweep_last_complete_timestamp_seconds", **manual) - time.time()) < 120
    jobs = own.of("orgsweep_jobs_planned", **manual)
    assert own.of("orgsweep_jobs", state="done", **manual) == jobs == worker.of("orgsweep_worker_jobs_total", how="sealed") > 20
    assert own.of("orgsweep_leases_lost_total") == 0 and own["orgsweep_store_up"] == 1

    assert worker["orgsweep_worker_job_duration_seconds_count"] == jobs and worker["orgsweep_worker_job_duration_seconds_sum"] > 0
    assert worker["orgsweep_worker_jobs_in_hand"] == worker["orgsweep_worker_aws_requests_in_flight"] == worker["orgsweep_worker_uncommitted_bytes"] == 0
    assert worker.of("orgsweep_worker_commits_total", result="taken") >= jobs and worker["orgsweep_worker_committed_bytes_total"] > 0
    assert worker["orgsweep_worker_store_up"] == 1
    assert 1 <= worker["orgsweep_worker_tls_handshakes_total"] <= worker["orgsweep_worker_aws_connections_total"]
    requests = worker.of("orgsweep_worker_aws_requests_total")
    assert worker["orgsweep_worker_aws_connections_reused_total"] == requests - worker["orgsweep_worker_aws_connections_total"]
    for metrics, prefix in ((own, "orgsweep_"), (worker, "orgsweep_worker_")):
        assert 1 << 20 < metrics[prefix + "resident_memory_bytes"] < 1 << 30 and metrics[prefix + "cpu_seconds_total"] > 0
        assert metrics.of(prefix + "metric_updates_dropped_total") == 0
        assert abs(metrics[prefix + "start_time_seconds"] - time.time()) < 120
        check_metrics(metrics.text)


@suite.test
def while_it_runs(place):
    """Jobs and workers by state; a worker that is killed costs leases; readiness of both sides."""
    redis = Redis(place)
    simulator = Simulator(place, *SIZE, "--fault", "operation=sagemaker:Describe*,kind=slow:1500")
    fleet = Watched(place, simulator, redis, redis.url, worker=False)
    wait_for(lambda: ask(fleet.port, "/readyz")[0] == 200, 10, "the coordinator is ready")
    wait_for(lambda: scrape(fleet.port).text.count("orgsweep_jobs_planned") > 0, 20, "jobs are planned")
    own = scrape(fleet.port)
    assert own.of("orgsweep_sweep_running") == 1 and own.of("orgsweep_workers") == 0
    assert "orgsweep_findings" not in own.kinds, "the result of a sweep that has none yet"
    fleet.worker = fleet.start_worker()
    wait_for(lambda: scrape(fleet.worker_port)["orgsweep_worker_jobs_in_hand"] > 3, 20, "jobs in hand")
    assert ask(fleet.worker_port, "/readyz") == (200, "ready\n", "text/plain; charset=utf-8")
    assert ask(fleet.worker_port, "/healthz")[:2] == (200, "ok\n")
    own = scrape(fleet.port)
    planned = own.of("orgsweep_jobs_planned")
    assert sum(own.of("orgsweep_jobs", state=state) for state in ("waiting", "running", "done", "lost")) == planned
    assert own.of("orgsweep_jobs", state="running") > 0 and own.of("orgsweep_workers", state="busy") == 1
    fleet.worker.kill()
    wait_for(lambda: scrape(fleet.port).of("orgsweep_leases_lost_total") > 0, 30, "leases are lost")
    fleet.worker.wait()
    fleet.worker = fleet.start_worker()
    report = fleet.finish()
    assert report["sweep"]["status"] == "complete"
    fleet.worker.send_signal(signal.SIGTERM)
    assert fleet.worker.wait(35) == 0


@suite.test
def readiness_says_what_is_missing(place):
    """A worker without a coordinator, then without a store; it is healthy all the while."""
    redis = Redis(place)
    key, public = write_keys(place.path, "lonely")
    port = free_port()
    worker = subprocess.Popen([str(WORKER), "--connect", f"tcp://127.0.0.1:{free_port()}", "--key", str(key), "--server-key", str(public), "--store",
                               redis.url], env=place.environment(ORGSWEEP_METRICS=f"127.0.0.1:{port}"), stderr=subprocess.DEVNULL)
    place.children.append(worker)
    wait_for(lambda: listens(port), 10, "metrics by the environment")
    wait_for(lambda: ask(port, "/readyz")[:2] == (503, "no coordinator has answered\n"), 10, "no coordinator")
    assert ask(port, "/healthz")[0] == 200
    redis.kill()
    wait_for(lambda: ask(port, "/readyz")[:2] == (503, "the store is away\n"), 10, "no store")
    metrics = scrape(port)
    assert metrics["orgsweep_worker_store_up"] == 0 and metrics.of("orgsweep_worker_coordinator_up") == 0
    redis.start()
    wait_for(lambda: scrape(port)["orgsweep_worker_store_up"] == 1, 20, "the store is back")
    assert scrape(port)["orgsweep_worker_store_reconnects_total"] == 1
    assert ask(port, "/healthz")[0] == 200 and ask(port, "/")[0] == 404
    worker.terminate()
    assert worker.wait(35) == 0


@suite.test
def addresses_that_can_not_be_had(place):
    """Exit 2 at once, on both sides, before anything is swept."""
    simulator = Simulator(place, "--seed", 1, "--accounts", 2, "--regions", 1)
    redis = Redis(place)
    key, public = write_keys(place.path, "w")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = ((f"127.0.0.1:{taken.getsockname()[1]}", "another program listens there"), ("192.0.2.1:9717", "no address of this host"),
                 ("9717", "HOST:PORT"), ("::1:9717", "brackets"))
        for address, words in cases:
            done = sweep(place, "--metrics", address, environment=simulator.environment(), check=False)
            assert done.code == 2 and words in done.last_line and address in done.last_line, (address, done.err)
            worker = subprocess.run([str(WORKER), "--connect", "tcp://127.0.0.1:9", "--key", key, "--server-key", public, "--store", redis.url,
                                     "--metrics", address], env=place.environment(), capture_output=True, text=True, timeout=30)
            assert worker.returncode == 2 and words in worker.stderr and address in worker.stderr, (address, worker.stderr)
    assert not simulator.ask("statistics")["by_operation"], "AWS was asked"


@suite.test
def by_environment_and_configuration(place):
    """ORGSWEEP_METRICS is the coordinator's: its local workers do not take the same port. The configuration file has it as `metrics`."""
    simulator = Simulator(place, "--seed", 1, "--accounts", 3, "--regions", 2, "--latency-ms", 300)
    configuration = place.path / "orgsweep.yaml"
    for by_file in (False, True):
        port = free_port()
        configuration.write_text(f"metrics: 127.0.0.1:{port}\n" if by_file else "keep: 3\n")
        environment = simulator.environment(**({} if by_file else {"ORGSWEEP_METRICS": f"127.0.0.1:{port}"}))
        target = place.path / f"report-{by_file}.json"
        process = subprocess.Popen([str(ORGSWEEP), "sweep", "--quiet", "--workers", "2", "--config", str(configuration), "--output", str(target)],
                                   env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=place.path)
        place.children.append(process)
        wait_for(lambda: listens(port), 10, "metrics")
        wait_for(lambda: scrape(port).samples.get(("orgsweep_workers", (("state", "ready"),))) is not None, 10, "workers")
        assert "orgsweep_leader" not in scrape(port).kinds, "nobody leads a sweep by hand"
        _, errors = process.communicate(timeout=60)
        assert "worker.ended" not in errors and json.loads(target.read_text())["sweep"]["status"] == "complete", errors
    done = orgsweep(place, "sweep", "--plan", "--metrics", "127.0.0.1:1", environment=simulator.environment())
    assert done.returncode == 0, done.stderr  # nothing is swept: nothing to watch, and no port is taken


class Serving:
    """`orgsweep serve` with metrics; sweeps: name → schedule."""

    def __init__(self, place, simulator, fleet, number, **sweeps):
        self.port, self.file = free_port(), place.path / f"serve-{number}.yaml"
        self.reports = place.path / "reports"
        self.reports.mkdir(exist_ok=True)
        self.head = (f"store: {fleet.redis.url}\nlisten: {fleet.endpoints[number]}\nkeys: {fleet.keys}\nreports: {self.reports}\nworkers: 0\n"
                     f"metrics: 127.0.0.1:{self.port}\n")
        self.configure(**sweeps)
        self.errors = open(place.path / f"serve-{number}.log", "w")
        self.process = subprocess.Popen([str(ORGSWEEP), "serve", "--config", str(self.file)], stdout=subprocess.DEVNULL, stderr=self.errors,
                                        env=simulator.environment(XDG_STATE_HOME=place.path / f"state-{number}"), cwd=place.path)
        place.children.append(self.process)
        wait_for(lambda: listens(self.port), 10, "the service's metrics")

    def configure(self, **sweeps):
        self.file.write_text(self.head + "sweeps:\n" + "".join(f"  {name}: {{every: {every}}}\n" for name, every in sweeps.items()))

    def wait(self, what, seconds, condition):
        def holds():
            metrics = scrape(self.port)
            try:
                return metrics if condition(metrics) else None
            except AssertionError:  # no such sample yet
                return None
        try:
            return wait_for(holds, seconds, what)
        except AssertionError:
            raise AssertionError(f"{what}: {scrape(self.port).text}\n{open(self.errors.name).read()}")


@suite.test
def a_service_and_the_one_that_stands_by(place):
    """The leader tells of its sweeps, by name; the other only that it stands by. It knows, once it leads, when a sweep was complete last."""
    simulator = Simulator(place, *SIZE)
    fleet = Fleet(place, simulator, coordinators=2)
    first = Serving(place, simulator, fleet, 0, nightly="1h")
    first.wait("it leads", 20, lambda m: m["orgsweep_leader"] == 1)
    second = Serving(place, simulator, fleet, 1, nightly="1h")
    second.wait("it stands by", 20, lambda m: m["orgsweep_leader"] == 0 and m["orgsweep_store_up"] == 1)
    assert ask(second.port, "/readyz")[0] == 200 == ask(first.port, "/readyz")[0]
    fleet.worker("one")
    metrics = first.wait("a sweep is complete", 60, lambda m: m.of("orgsweep_sweeps_total", sweep="nightly", status="complete") == 1)
    wait_for(lambda: "sweep.ended" in open(first.errors.name).read(), 20, "its report")
    report = json.loads(next(first.reports.glob("nightly-*.json")).read_text())
    nightly = {"sweep": "nightly"}
    assert metrics.of("orgsweep_coverage_ratio", **nightly) == round(report["coverage"]["percent"] / 100, 4)
    assert metrics.of("orgsweep_findings", **nightly) == sum(report["summary"]["findings"].values()) > 0
    assert metrics.of("orgsweep_cells", **nightly) == metrics.of("orgsweep_cells_planned", **nightly) == report["coverage"]["planned"]
    assert metrics.of("orgsweep_workers", state="ready") == 1 and metrics.of("orgsweep_sweep_running", **nightly) == 0
    complete = metrics.of("orgsweep_sweep_last_complete_timestamp_seconds", **nightly)
    assert abs(complete - time.time()) < 60
    check_metrics(metrics.text)
    standing_by = scrape(second.port)
    assert 'sweep="' not in standing_by.text and standing_by.of("orgsweep_workers") == 0
    first.process.kill()
    metrics = second.wait("the other leads", 30, lambda m: m["orgsweep_leader"] == 1 and m.of("orgsweep_workers") == 1)
    assert metrics.of("orgsweep_sweep_last_complete_timestamp_seconds", **nightly) == complete
    assert "orgsweep_findings" not in metrics.kinds  # it has seen none itself
    # A name that is configured no more is not told of; a new one is.
    second.configure(weekly="168h")
    second.process.send_signal(signal.SIGHUP)
    metrics = second.wait("the new configuration", 20, lambda m: m.of("orgsweep_sweep_last_complete_timestamp_seconds", sweep="weekly") == 0)
    assert 'sweep="nightly"' not in metrics.text
    second.process.terminate()
    assert second.process.wait(40) == 0


@suite.test
def a_service_whose_port_is_taken(place):
    simulator = Simulator(place, "--seed", 1, "--accounts", 2, "--regions", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file = place.path / "serve.yaml"
        file.write_text(f"metrics: 127.0.0.1:{taken.getsockname()[1]}\nsweeps: {{nightly: {{every: 1h}}}}\n")
        done = orgsweep(place, "serve", "--config", file, environment=simulator.environment())
        assert done.returncode == 2 and "another program listens there" in done.stderr, done.stderr


@suite.test
def a_prometheus_scrapes_them(place):
    """One of its own, with our alert rules, on a free port: it takes all samples of a worker, and its alert fires for the store that is away."""
    program = shutil.which("prometheus")
    if not program:
        raise Skipped("prometheus (Debian package) is not installed")
    redis = Redis(place)
    key, public = write_keys(place.path, "watched")
    port, own_port = free_port(), free_port()
    worker = subprocess.Popen([str(WORKER), "--connect", f"tcp://127.0.0.1:{free_port()}", "--key", str(key), "--server-key", str(public), "--store",
                               redis.url, "--metrics", f"127.0.0.1:{port}"], env=place.environment(), stderr=subprocess.DEVNULL)
    place.children.append(worker)
    wait_for(lambda: listens(port), 10, "metrics")
    rules = yaml.safe_load(ALERTS.read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
    (place.path / "alerts.yaml").write_text(yaml.safe_dump(rules))
    (place.path / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "orgsweep-worker", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}))
    server = subprocess.Popen([program, f"--config.file={place.path}/prometheus.yaml", f"--storage.tsdb.path={place.path}/tsdb",
                               f"--web.listen-address=127.0.0.1:{own_port}"], env=place.environment(), stdout=subprocess.DEVNULL,
                              stderr=open(place.path / "prometheus-errors", "w"), cwd=place.path)
    place.children.append(server)

    def query(expression):
        try:
            with opener.open(f"http://127.0.0.1:{own_port}/api/v1/query?query=" + urllib.parse.quote(expression), timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []
    wait_for(lambda: query("up == 1"), 30, "it has scraped: " + (place.path / "prometheus-errors").read_text())
    samples = wait_for(lambda: query("scrape_samples_scraped"), 10, "samples are counted")
    assert int(samples[0]["value"][1]) == len(scrape(port).samples)
    assert query("orgsweep_worker_store_up")[0]["value"][1] == "1" and not query('ALERTS{alertname="OrgsweepStoreAway"}')
    redis.kill()
    wait_for(lambda: query('ALERTS{alertname="OrgsweepStoreAway",alertstate="firing"}'), 20, "the alert fires")


# --- alerts ---

@suite.test
def alerts_pass_their_tests(place):
    for command in (("check", "rules", ALERTS), ("test", "rules", ALERTS_TEST)):
        code, words = promtool(*command)
        assert code == 0 and "FAILED" not in words, words


@suite.test
def alerts_are_about_what_there_is(place):
    """Each names metrics and label values that we have, tells what to do, and is seen both firing and silent in its tests."""
    known = set(re.findall(r"^\| `(orgsweep_[a-z_]+)` ", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    tests = yaml.safe_load(ALERTS_TEST.read_text())["tests"]
    fired, silent = set(), set()
    for one in tests:
        for expected in one.get("alert_rule_test", []):
            (fired if expected["exp_alerts"] else silent).add(expected["alertname"])
        for asked in one.get("promql_expr_test", []):
            fired.update(re.findall(r'alertname="([A-Za-z]+)"', " ".join(sample["labels"] for sample in asked["exp_samples"])))
    assert len(rules) == len({rule["alert"] for rule in rules}) and len(rules) >= 10
    for rule in rules:
        used = set(re.findall(r"\borgsweep_[a-z_]+", rule["expr"]))
        assert used and used <= known, (rule["alert"], used - known)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description", "action"}
        assert rule["alert"] in fired and rule["alert"] in silent, f"{rule['alert']}: {rule['alert'] in fired} {rule['alert'] in silent}"
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert all(f"`{rule['alert']}`" in page for rule in rules)


suite.main(at_once=3)
