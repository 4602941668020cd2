"""Our own processes are killed, stopped, starved and interrupted: nothing is lost, nothing stays behind, nothing leaks."""
import json
import os
import pathlib
import signal
import subprocess
import time

from common import ORGSWEEP, Simulator, Suite, check_report, forms_of, orgsweep, processes_of, stable, sweep, wait_for

suite = Suite()
SIZE = ("--seed", 41, "--accounts", 10, "--regions", 4)


class Running:
    """A sweep in the background."""

    def __init__(self, place, simulator, *arguments, **environment):
        self.place, self.target = place, place.path / f"running-{time.monotonic_ns()}.json"
        self.errors = open(place.path / f"errors-{time.monotonic_ns()}", "w+")
        self.process = subprocess.Popen([str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(self.target), *map(str, arguments)],
                                        env=simulator.environment(**environment), stdout=subprocess.DEVNULL, stderr=self.errors, cwd=place.path)
        place.children.append(self.process)

    def child(self, name):
        def found():
            for entry in pathlib.Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        stat = (entry / "stat").read_text().rsplit(")", 1)
                        if int(stat[1].split()[1]) == self.process.pid and stat[0].split("(", 1)[1] == name[:15] and stat[1].split()[0] != "Z":
                            return int(entry.name)
                    except OSError:
                        continue
            return None
        return wait_for(found, 20, f"child {name}")

    def finish(self, timeout=120):
        self.process.wait(timeout)
        self.errors.seek(0)
        text = self.errors.read()
        report = json.loads(self.target.read_text()) if self.target.exists() else None
        if report:
            check_report(report, self.target.read_text())
        return self.process.returncode, report, text


def under_way(simulator, calls):
    return wait_for(lambda: simulator.ask("statistics")["requests"] >= calls, 30, f"{calls} calls")


def slow(place, milliseconds=60):
    return Simulator(place, *SIZE, "--latency-ms", milliseconds)


def expected(place):
    return stable(sweep(place, "--all", environment=Simulator(place, *SIZE).environment()).report)


@suite.test
def worker_killed(place):
    truth = expected(place)
    for workers in (1, 2):
        simulator = slow(place)
        running = Running(place, simulator, "--workers", workers)
        under_way(simulator, 60)
        os.kill(running.child("orgsweep-worker"), signal.SIGKILL)
        code, report, text = running.finish()
        assert report and stable(report) == truth, text


@suite.test
def worker_stopped_past_its_lease(place):
    truth = expected(place)
    simulator = slow(place)
    running = Running(place, simulator, "--workers", 2)
    under_way(simulator, 60)
    pid = running.child("orgsweep-worker")
    os.kill(pid, signal.SIGSTOP)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


@suite.test
def private_redis_killed(place):
    truth = expected(place)
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator, 80)
    os.kill(running.child("redis-server"), signal.SIGKILL)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


@suite.test
def coordinator_killed_in_the_middle(place):
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator, 60)
    running.process.kill()
    running.process.wait()
    time.sleep(3)
    left = [row for row in processes_of(place) if "simulator" not in row[1]]
    assert not left, left
    target = place.path / "after.json"
    done = orgsweep(place, "report", "--all", "--output", target, environment=place.environment())
    assert done.returncode == 0, done.stderr
    report = json.loads(target.read_text())
    check_report(report, target.read_text())
    assert report["sweep"]["status"] == "cancelled" and {g["reason"] for g in report["coverage"]["gaps"]} >= {"cancelled"}
    again = sweep(place, "--all", environment=simulator.environment())  # and the state folder is usable at once
    assert stable(again.report) == expected(place)


@suite.test
def coordinator_killed_after_the_last_commit(place):
    """The report made from the store alone has the bytes that the sweep would have written."""
    simulator = Simulator(place, *SIZE)
    fifo = place.path / "report.json"
    os.mkfifo(fifo)  # the report blocks until somebody reads: the coordinator is killed while it writes
    process = subprocess.Popen([str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(fifo)], env=simulator.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=place.path)
    place.children.append(process)
    with open(fifo, "rb") as reader:
        head = reader.read(20000)
        process.kill()
        process.wait()
        rest = reader.read()
    written = head + rest
    done = orgsweep(place, "report", "--all", "--output", "-", environment=place.environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode().startswith(written[:16384]) and len(written) > 4096, (len(written), done.stdout[:200])


@suite.test
def interrupted_with_aws_hanging(place):
    simulator = Simulator(place, "--seed", 42, "--accounts", 200, "--regions", 3, "--fault", "operation=sagemaker:*,kind=hang",
                          "--fault", "operation=bedrock:*,kind=hang,after=40")
    for number in (signal.SIGINT, signal.SIGTERM):
        simulator.ask("reset-statistics", "POST")
        running = Running(place, simulator)
        under_way(simulator, 150)
        start = time.monotonic()
        running.process.send_signal(number)
        code, report, text = running.finish(timeout=20)
        seconds = time.monotonic() - start
        assert code == 128 + number, (code, text)
        assert report["sweep"]["status"] == "cancelled" and seconds < 2, seconds
        assert "cancelled" in {g["reason"] for g in report["coverage"]["gaps"]}


@suite.test
def a_deadline_ends_a_sweep(place):
    simulator = Simulator(place, *SIZE, "--fault", "operation=sagemaker:*,kind=hang")
    done = sweep(place, "--deadline", "2s", environment=simulator.environment())
    assert done.report["sweep"]["status"] == "cancelled" and done.code in (3, 4) and done.seconds < 8, (done.code, done.seconds)
    assert "cancelled" in {g["reason"] for g in done.report["coverage"]["gaps"]}


@suite.test
def two_sweeps_at_once(place):
    simulator = slow(place, 100)
    running = Running(place, simulator)
    under_way(simulator, 20)
    done = sweep(place, environment=simulator.environment(), check=False)
    assert done.code == 2 and str(running.process.pid) in done.last_line, done.err
    reading = orgsweep(place, "status", "--json", environment=place.environment())
    assert reading.returncode == 0 and json.loads(reading.stdout)["sweeps"][0]["status"] == "running", reading
    code, report, text = running.finish()
    assert report, text


@suite.test
def a_worker_with_a_wrong_key(place):
    simulator = slow(place, 100)
    running = Running(place, simulator)
    under_way(simulator, 20)
    key, server = place.path / "evil.key", place.path / "server.pub"
    found = list((place.path / "state").rglob("*.sock")) + list((place.path / "state").rglob("*.ipc"))
    assert found or True
    worker = pathlib.Path(str(ORGSWEEP)).parents[1] / "worker" / "orgsweep-worker"
    key.write_text("garbage\n")
    os.chmod(key, 0o600)
    server.write_text("garbage\n")
    done = subprocess.run([str(worker), "--connect", "tcp://127.0.0.1:9", "--key", str(key), "--server-key", str(server)],
                          capture_output=True, text=True, timeout=20, env=place.environment())
    assert done.returncode == 2 and "evil.key" in done.stderr, done
    os.chmod(key, 0o644)
    done = subprocess.run([str(worker), "--connect", "tcp://127.0.0.1:9", "--key", str(key), "--server-key", str(server)],
                          capture_output=True, text=True, timeout=20, env=place.environment())
    assert done.returncode == 2 and "chmod" in done.stderr, done
    assert running.finish()[1]


@suite.test
def an_external_store_that_dies_and_returns(place):
    truth = expected(place)
    folder = place.path / "redis"
    folder.mkdir()
    command = ["redis-server", "--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder), "--appendonly", "yes", "--save", "",
               "--requirepass", "marker-of-the-store-password-7"]
    start_server = lambda: place.children.append(subprocess.Popen(command, stdout=subprocess.DEVNULL)) or place.children[-1]
    server = start_server()
    wait_for(lambda: (folder / "s").exists(), 10, "redis")
    simulator = slow(place)
    running = Running(place, simulator, "--store", f"unix://{folder}/s", ORGSWEEP_STORE_PASSWORD="marker-of-the-store-password-7")
    under_way(simulator, 80)
    server.kill()
    server.wait()
    time.sleep(1)
    start_server()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    wrong = sweep(place, "--store", f"unix://{folder}/s", environment=simulator.environment(ORGSWEEP_STORE_PASSWORD="wrong"), check=False)
    assert wrong.code == 2 and "password" in wrong.last_line.lower(), wrong.err


@suite.test
def a_full_output_disk_is_exit_5(place):
    simulator = Simulator(place, *SIZE)
    done = orgsweep(place, "sweep", "--output", "/dev/full", "--format", "json", environment=simulator.environment())
    assert done.returncode == 5 and "/dev/full" in done.stderr.splitlines()[-1], done.stderr[-400:]
    again = orgsweep(place, "report", "--output", place.path / "good.json", environment=place.environment())
    assert again.returncode == 0, again.stderr


@suite.test
def planted_secrets_are_found_nowhere(place):
    simulator = Simulator(place, *SIZE, "--external-id", "marker-of-the-external-id-9", "--fault",
                          "operation=sagemaker:ListEndpoints,kind=denied-untold,times=3", "--log", place.path / "requests.log")
    folder = place.path / "redis"
    folder.mkdir()
    password = "marker-of-the-store-password-8"
    place.children.append(subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder), "--appendonly",
                                            "yes", "--requirepass", password], stdout=subprocess.DEVNULL))
    wait_for(lambda: (folder / "s").exists(), 10, "redis")
    environment = simulator.environment(ORGSWEEP_STORE_PASSWORD=password, ORGSWEEP_LOG_LEVEL="debug")
    done = sweep(place, "--all", "--external-id", "marker-of-the-external-id-9", "--store", f"unix://{folder}/s", environment=environment)
    assert done.report["coverage"]["pass"] > 0
    dump = subprocess.run(["redis-cli", "-s", str(folder / "s"), "-a", password, "--no-auth-warning", "--raw", "KEYS", "*"], capture_output=True).stdout
    seen = {"standard error": done.err.encode(), "report": done.text.encode(), "append-only file": b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file()), "keys": dump}
    for path in (place.path / "state").rglob("*"):
        if path.is_file():
            seen[str(path)] = path.read_bytes()
    secrets = [simulator.ready["secret_access_key"], password, "marker-of-the-external-id-9"]
    for name, text in seen.items():
        for secret in secrets:
            for form in forms_of(secret):
                assert form not in text, (name, form)
        assert b"eyJrZXkiOi" not in text, name  # how the simulator's session tokens begin


suite.main()
