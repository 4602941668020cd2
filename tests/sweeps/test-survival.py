"""Our own processes are killed, stopped, starved and interrupted: nothing is lost, nothing stays behind, nothing leaks."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from common import (ORGSWEEP, WORKER, Simulator, Skipped, Suite, cells, check_report, forms_of, orgsweep, processes_of, stable, sweep, wait_for)
from peers import Proxy, Redis, free_port, write_keys, zmtp_greeting

suite = Suite()
SIZE = ("--seed", 41, "--accounts", 10, "--regions", 4)


class Running:
    """A sweep in the background."""

    def __init__(self, place, simulator, *arguments, options=None, **environment):
        self.place, self.target = place, place.path / f"running-{time.monotonic_ns()}.json"
        self.errors = open(place.path / f"errors-{time.monotonic_ns()}", "w+")
        self.process = subprocess.Popen([str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(self.target), *map(str, arguments)],
                                        env=simulator.environment(**environment), stdout=subprocess.DEVNULL, stderr=self.errors, cwd=place.path,
                                        **(options or {}))
        place.children.append(self.process)

    def said(self):
        """What stands on standard error by now."""
        return "".join(line for line in pathlib.Path(self.errors.name).read_text().splitlines(True) if " INFO " not in line)

    def signal(self, number, timeout=20):
        """Seconds from the signal to the end."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout)
        return time.monotonic() - start

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
        text = self.said()
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


def hanging(place, accounts=200):
    """AWS accepts calls and never answers them."""
    return Simulator(place, "--seed", 42, "--accounts", accounts, "--regions", 3, "--fault", "operation=sagemaker:*,kind=hang",
                     "--fault", "operation=bedrock:*,kind=hang,after=40")


def in_flight(simulator, calls):
    return wait_for(lambda: simulator.ask("statistics")["in_flight"] >= calls, 30, f"{calls} calls without an answer")


def quickest(attempt, enough, tries=3):
    """The shortest of some tries, as others use this machine too; the first one that is short enough will do."""
    best = attempt()
    while best > enough and tries > 1:
        best, tries = min(best, attempt()), tries - 1
    return best


@suite.test
def interrupted_with_aws_hanging(place):
    simulator = hanging(place)
    for number in (signal.SIGINT, signal.SIGTERM):
        def attempt():
            running = Running(place, simulator)
            in_flight(simulator, 60)
            seconds = running.signal(number)
            code, report, text = running.finish()
            assert code == 128 + number and text.splitlines()[-1].startswith(f"exit {code}: "), (code, text)
            assert report["sweep"]["status"] == "cancelled" and len(report["accounts"]) == 200
            assert "cancelled" in {g["reason"] for g in report["coverage"]["gaps"]}
            return seconds
        seconds = quickest(attempt, 2)
        assert seconds < 2, seconds


@suite.test
def a_second_signal_ends_at_once(place):
    simulator = hanging(place, 20)

    def attempt():
        running = Running(place, simulator)
        in_flight(simulator, 20)
        running.process.send_signal(signal.SIGINT)
        wait_for(lambda: "interrupted" in running.said(), 5, "the first signal is seen")
        seconds = running.signal(signal.SIGINT)
        assert running.process.returncode == 130, running.said()
        assert not [row for row in place.left_running() if "simulator" not in row[1]]
        return seconds
    seconds = quickest(attempt, 0.5)
    assert seconds < 0.5, seconds


@suite.test
def a_terminal_interrupts_the_whole_group(place):
    """As Ctrl-C does: the signal goes to every process of the terminal's foreground group, not to the coordinator alone."""
    simulator = Simulator(place, *SIZE, "--fault", "operation=sagemaker:*,kind=hang,after=60")
    running = Running(place, simulator, options={"start_new_session": True})
    in_flight(simulator, 20)
    os.killpg(running.process.pid, signal.SIGINT)
    code, report, text = running.finish()
    assert code == 130 and report["sweep"]["status"] == "cancelled", text
    assert report["coverage"]["pass"] + report["coverage"]["fail"] > 0, "what was read counts"
    assert not [event for event in ("store.down", "store.restart", "worker.drain", "worker.ended") if event in text], text


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
    key.write_text("garbage\n")
    os.chmod(key, 0o600)
    server.write_text("garbage\n")
    done = subprocess.run([str(WORKER), "--connect", "tcp://127.0.0.1:9", "--key", str(key), "--server-key", str(server)],
                          capture_output=True, text=True, timeout=20, env=place.environment())
    assert done.returncode == 2 and "evil.key" in done.stderr, done
    write_keys(place.path, "evil")
    done = subprocess.run([str(WORKER), "--connect", "tcp://127.0.0.1:9", "--key", str(key), "--server-key", str(server)],
                          capture_output=True, text=True, timeout=20, env=place.environment())
    assert done.returncode == 2 and "server.pub" in done.stderr, done
    os.chmod(key, 0o644)
    done = subprocess.run([str(WORKER), "--connect", "tcp://127.0.0.1:9", "--key", str(key), "--server-key", str(server)],
                          capture_output=True, text=True, timeout=20, env=place.environment())
    assert done.returncode == 2 and "chmod" in done.stderr, done
    assert running.finish()[1]


@suite.test
def an_external_store_that_dies_and_returns(place):
    truth = expected(place)
    redis = Redis(place, password="marker-of-the-store-password-7")
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url, ORGSWEEP_STORE_PASSWORD=redis.password)
    under_way(simulator, 80)
    redis.kill()
    time.sleep(1)
    redis.start()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    wrong = sweep(place, "--store", redis.url, environment=simulator.environment(ORGSWEEP_STORE_PASSWORD="wrong"), check=False)
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
    password = "marker-of-the-store-password-8"
    redis = Redis(place, password=password)
    environment = simulator.environment(ORGSWEEP_STORE_PASSWORD=password, ORGSWEEP_LOG_LEVEL="debug")
    done = sweep(place, "--all", "--external-id", "marker-of-the-external-id-9", "--store", redis.url, environment=environment)
    assert done.report["coverage"]["pass"] > 0
    seen = {"standard error": done.err.encode(), "report": done.text.encode(), "append-only file": b"".join(
        path.read_bytes() for path in redis.folder.rglob("*") if path.is_file()), "keys": redis.ask("KEYS", "*")}
    for path in (place.path / "state").rglob("*"):
        if path.is_file():
            seen[str(path)] = path.read_bytes()
    secrets = [simulator.ready["secret_access_key"], password, "marker-of-the-external-id-9"]
    for name, text in seen.items():
        for secret in secrets:
            for form in forms_of(secret):
                assert form not in text, (name, form)
        assert b"eyJrZXkiOi" not in text, name  # how the simulator's session tokens begin


# --- the store ---

@suite.test
def a_store_that_forgets(place):
    """What it had acknowledged is gone, be it another run or the same: it is done again."""
    truth = expected(place)
    for emptied_by in ("restart", "command"):
        redis = Redis(place, "--databases", "2", folder=place.path / f"redis-{emptied_by}")
        simulator = slow(place)
        running = Running(place, simulator, "--store", redis.url)
        under_way(simulator, 150)
        if emptied_by == "restart":
            redis.kill()
            shutil.rmtree(redis.folder / "appendonlydir")
            redis.start()
        else:
            redis.ask("FLUSHALL")
        code, report, text = running.finish()
        assert report and stable(report) == truth, text
        redis.kill()


@suite.test
def a_store_without_memory(place):
    truth = expected(place)
    redis = Redis(place, "--maxmemory-policy", "noeviction")
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url)
    under_way(simulator, 80)
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    wait_for(lambda: "OOM" in running.said() and "maxmemory" in running.said(), 20, "it is told, with what to do")
    time.sleep(1)
    assert running.process.poll() is None, running.said()
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


@suite.test
def a_store_without_memory_from_the_start(place):
    redis = Redis(place, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
    simulator = Simulator(place, *SIZE)
    done = sweep(place, "--store", redis.url, environment=simulator.environment(), check=False)
    assert done.code == 2 and "OOM" in done.last_line and "maxmemory" in done.last_line, done.err
    assert simulator.ask("statistics")["by_operation"].get("sagemaker:ListNotebookInstances", 0) == 0


class SmallDisk:
    """A folder on a file system of its own, of which `fill` takes the rest."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir(parents=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True).returncode:
            raise Skipped("a file system can't be mounted here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def empty(self):
        (self.folder / "filler").unlink()


@suite.test
def a_disk_that_runs_full_under_the_private_store(place):
    truth = expected(place)
    with SmallDisk(place.path / "small", "4m") as disk:
        simulator = slow(place)
        running = Running(place, simulator, XDG_STATE_HOME=disk.folder)
        under_way(simulator, 80)
        disk.fill()
        wait_for(lambda: "No space left" in running.said(), 20, "it is told")
        assert "free" in running.said(), running.said()
        time.sleep(1)
        assert running.process.poll() is None, running.said()
        disk.empty()
        code, report, text = running.finish()
        assert report and stable(report) == truth, text


@suite.test
def a_disk_that_is_full_from_the_start(place):
    with SmallDisk(place.path / "small", "64k") as disk:
        disk.fill()
        done = sweep(place, environment=Simulator(place, *SIZE).environment(XDG_STATE_HOME=disk.folder), check=False)
        assert done.code == 2 and "No space left" in done.last_line and str(disk.folder) in done.last_line, done.err


@suite.test
def interrupted_while_the_store_is_away(place):
    redis = Redis(place)
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url)
    under_way(simulator, 80)
    redis.kill()
    wait_for(lambda: "store.away" in running.said(), 10, "it is seen")
    seconds = running.signal(signal.SIGINT, timeout=30)
    code, report, text = running.finish()
    last = text.splitlines()[-1]
    assert code == 5 and report is None and last.startswith("exit 5: ") and "orgsweep report" in last, text
    assert seconds < 10, seconds
    redis.start()  # and what it says is true
    done = orgsweep(place, "report", "--store", redis.url, "--output", place.path / "later.json", environment=place.environment())
    assert done.returncode == 0 and json.loads((place.path / "later.json").read_text())["sweep"]["status"] == "cancelled", done


suite.main()
