"""Our own processes are killed, stopped, starved and interrupted: nothing is lost, nothing stays behind, nothing leaks."""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

from common import (ORGSWEEP, TOKEN_BEGINS, WORKER, Simulator, Suite, Skipped, cells, check_report, forms_of, memory_of, orgsweep, processes_of,
                    search_for, stable, sweep, wait_for)
from peers import Proxy, Redis, SmallDisk, free_port, write_keys, zmtp_greeting
from running import SIZE, Running, expected, slow, under_way

suite = Suite()
@suite.test
def worker_killed(place):
    truth = expected(place)
    for workers in (1, 2):
        simulator = slow(place)
        running = Running(place, simulator, "--workers", workers)
        under_way(simulator)
        os.kill(running.child("orgsweep-worker"), signal.SIGKILL)
        code, report, text = running.finish()
        assert report and stable(report) == truth, text
        assert "worker.ended" in text, text


@suite.test
def worker_stopped_past_its_lease(place):
    truth = expected(place)
    simulator = slow(place)
    running = Running(place, simulator, "--workers", 2)
    under_way(simulator)
    pid = running.child("orgsweep-worker")
    os.kill(pid, signal.SIGSTOP)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


@suite.test
def private_redis_killed(place):
    truth = expected(place)
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator)
    os.kill(running.child("redis-server"), signal.SIGKILL)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert "store.restart" in text, text


@suite.test
def coordinator_killed_in_the_middle(place):
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator)
    running.process.kill()
    running.process.wait()
    time.sleep(3)
    left = [row for row in processes_of(place) if "simulator" not in row[1]]
    assert not left, left
    assert not list(place.path.glob(running.target.name + "*")), "a half-written report, or its beginnings"
    target = place.path / "after.json"
    done = orgsweep(place, "report", "--all", "--output", target, environment=place.environment())
    assert done.returncode == 0, done.stderr
    report = json.loads(target.read_text())
    check_report(report, target.read_text())
    assert report["sweep"]["status"] == "cancelled" and {g["reason"] for g in report["coverage"]["gaps"]} >= {"cancelled"}
    again = sweep(place, "--all", environment=simulator.environment())  # and the state folder is usable at once
    assert stable(again.report) == expected(place)


@suite.test
def what_a_killed_coordinator_leaves_is_cleared_up(place):
    """Sockets of a state folder with a long path are under /tmp; they too are gone after the next sweep."""
    for state in (place.path / "state", place.path / ("long" * 30)):
        simulator = slow(place)
        running = Running(place, simulator, XDG_STATE_HOME=state)
        under_way(simulator)
        of_worker = pathlib.Path(f"/proc/{running.child('orgsweep-worker')}/cmdline").read_text().split("\0")
        folders = [pathlib.Path((state / "orgsweep" / "redis" / "socket").read_text()).parent,
                   pathlib.Path(of_worker[of_worker.index("--connect") + 1].removeprefix("ipc://")).parent]
        running.process.kill()
        running.process.wait()
        assert all(folder.is_dir() for folder in folders), folders
        sweep(place, environment=Simulator(place, *SIZE).environment(XDG_STATE_HOME=state))
        left = [folder for folder in folders if folder.is_dir() and folder != state / "orgsweep" / "redis"]
        assert not left and not list((state / "orgsweep").rglob("*.sock")), left


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


def hanging(place, accounts=200, regions=3):
    """AWS accepts calls and never answers them."""
    return Simulator(place, "--seed", 42, "--accounts", accounts, "--regions", regions, "--fault", "operation=sagemaker:*,kind=hang",
                     "--fault", "operation=bedrock:*,kind=hang,after=40")


def in_flight(simulator, calls):
    return wait_for(lambda: simulator.ask("statistics")["in_flight"] >= calls, 30, f"{calls} calls without an answer")


def quickest(attempt, enough, tries=3):
    """The shortest of some tries, as others use this machine too; the first one that is short enough will do."""
    best = attempt()
    while best > enough and tries > 1:
        best, tries = min(best, attempt()), tries - 1
    return best


@suite.test_alone
def interrupted_with_aws_hanging(place):
    services = lambda: hanging(place, regions=17)
    everything = lambda: Simulator(place, "--seed", 42, "--accounts", 200, "--regions", 17, "--fault", "operation=*,kind=hang,after=1000")
    for start, number in ((services, signal.SIGINT), (everything, signal.SIGTERM)):
        def attempt():
            simulator = start()
            running = Running(place, simulator)
            in_flight(simulator, 40)
            seconds = running.signal(number)
            code, report, text = running.finish()
            assert code == 128 + number and text.splitlines()[-1].startswith(f"exit {code}: "), (code, text)
            assert report["sweep"]["status"] == "cancelled" and len(report["accounts"]) == 200
            assert "cancelled" in {g["reason"] for g in report["coverage"]["gaps"]}
            simulator.process.terminate()
            return seconds
        seconds = quickest(attempt, 2)
        assert seconds < 2, seconds


@suite.test_alone
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
    simulator = Simulator(place, *SIZE, "--fault", "operation=sagemaker:Describe*,kind=hang")
    running = Running(place, simulator, options={"start_new_session": True})
    under_way(simulator)
    os.killpg(running.process.pid, signal.SIGINT)
    code, report, text = running.finish()
    assert code == 130 and report["sweep"]["status"] == "cancelled", text
    assert report["coverage"]["pass"] + report["coverage"]["fail"] > 0, "what was read counts"
    assert not [event for event in ("store.down", "store.restart", "worker.drain", "worker.ended") if event in text], text


@suite.test_alone
def a_deadline_ends_a_sweep(place):
    simulator = Simulator(place, *SIZE, "--fault", "operation=sagemaker:*,kind=hang")
    done = sweep(place, "--deadline", "2s", environment=simulator.environment())
    assert done.report["sweep"]["status"] == "cancelled" and done.code in (3, 4) and done.seconds < 8, (done.code, done.seconds)
    assert "cancelled" in {g["reason"] for g in done.report["coverage"]["gaps"]}


@suite.test
def two_sweeps_at_once(place):
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator)
    done = sweep(place, environment=simulator.environment(), check=False)
    assert done.code == 2 and str(running.process.pid) in done.last_line, done.err
    reading = orgsweep(place, "status", "--json", environment=place.environment())
    assert reading.returncode == 0 and json.loads(reading.stdout)["sweeps"][0]["status"] == "running", reading
    code, report, text = running.finish()
    assert report, text


@suite.test
def a_worker_with_a_wrong_key(place):
    simulator = slow(place)
    running = Running(place, simulator)
    under_way(simulator)
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
    under_way(simulator)
    redis.kill()
    time.sleep(1)
    redis.start()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert "store.away" in text, text
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
def a_leak_would_be_found(place):
    """The search itself: each form, at each alignment of base64, inside of something else."""
    secret = "marker/of+a secret=5"
    spoiled = [secret.encode(), urllib.parse.quote(secret, safe="").encode()]
    spoiled += [base64.b64encode(b"x" * shift + secret.encode() + b"and more") for shift in range(6)]
    for text in spoiled:
        try:
            search_for([secret], {"a log": b"before " + text + b" behind"})
        except AssertionError:
            continue
        raise AssertionError(f"{text} is not found")


@suite.test
def planted_secrets_are_found_nowhere(place):
    external_id, password = "marker-of-the-external-id-9", "marker-of-the-store-password-8"
    simulator = Simulator(place, *SIZE, "--external-id", external_id, "--fault",
                          "operation=sagemaker:ListEndpoints,kind=denied-untold,times=3", "--log", place.path / "requests.log")
    redis = Redis(place, password=password)
    settings = dict(ORGSWEEP_STORE_PASSWORD=password, ORGSWEEP_EXTERNAL_ID=external_id, ORGSWEEP_LOG_LEVEL="debug")
    done = sweep(place, "--all", "--store", redis.url, environment=simulator.environment(**settings))
    assert done.report["coverage"]["pass"] > 0
    seen = {"standard error": done.err.encode(), "report": done.text.encode()}
    hung = Simulator(place, *SIZE, "--external-id", external_id, "--fault", "operation=sagemaker:*,kind=hang,after=60")
    secrets = [external_id, password, TOKEN_BEGINS]
    for one in (simulator, hung):
        secrets += [one.ready["secret_access_key"], one.ready["access_key_id"]]
    for arguments, names in ((("--store", redis.url), ["orgsweep-worker"]), ((), ["orgsweep-worker", "redis-server"])):
        running = Running(place, hung, *arguments, **settings)
        children = [running.child(name) for name in names]
        in_flight(hung, 20)
        for pid in children:
            seen.update({f"{what} of {pid}": pathlib.Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")})
        if os.geteuid() == 0:
            for pid in children:  # what a child needs it has; the caller's own secrets it does not
                search_for([hung.ready["secret_access_key"], external_id], {f"memory of {pid}": memory_of(pid)})
            assert hung.ready["secret_access_key"].encode() in memory_of(running.process.pid), "the test looks where secrets are"
        keys = [path.read_text() for path in (place.path / "state").rglob("*.key")]
        assert keys
        secrets += [line.split('"')[1] for text in keys for line in text.splitlines() if line.startswith("secret-key")]
        running.signal(signal.SIGINT)
        assert running.finish()[1]
        seen[f"standard error of {running.process.pid}"] = pathlib.Path(running.errors.name).read_bytes()
        seen[f"report of {running.process.pid}"] = running.target.read_bytes()
        hung.ask("reset-statistics", "POST")
    assert len([secret for secret in secrets if len(secret) == 40 and secret not in done.text]) >= 3, secrets
    seen["keys"] = redis.ask("KEYS", "*")
    for path in [*(place.path / "state").rglob("*"), *redis.folder.rglob("*")]:  # append-only files among them
        if path.is_file():
            seen[str(path)] = path.read_bytes()
    assert any("appendonly" in name and len(text) > 10000 for name, text in seen.items()), list(seen)
    search_for(secrets, seen)


@suite.test
def a_job_that_kills_its_workers(place):
    """Three are lost on it: then it is given up, and everything else is there."""
    clean = Simulator(place, "--seed", 46, "--accounts", 6, "--regions", 1)
    truth = sweep(place, "--all", environment=clean.environment()).report
    victim = [a["id"] for a in truth["accounts"] if a["swept"]][-1]
    simulator = Simulator(place, "--seed", 46, "--accounts", 6, "--regions", 1, "--fault", f"account={victim},operation=sagemaker:*,kind=hang")
    running = Running(place, simulator, "--workers", 1)
    asked = lambda: sum(count for name, count in simulator.ask("statistics")["by_operation"].items() if name.startswith("sagemaker:List"))
    before = 0
    for losses in range(3):
        wait_for(lambda: asked() > before and running.said().count("worker.ended") == losses, 20, "another one has the job")
        time.sleep(0.5)  # the others have been sealed
        before = asked()
        os.kill(running.child("orgsweep-worker"), signal.SIGKILL)
    code, report, text = running.finish()
    assert report["sweep"]["status"] == "partial" and code == 4, (code, text)
    was, now = cells(truth), cells(report)
    assert {key: state for key, state in now.items() if key[0] != victim} == {key: state for key, state in was.items() if key[0] != victim}
    assert {g["reason"] for g in report["coverage"]["gaps"] if g["account"] == victim} == {"worker-lost"}, text


@suite.test
def workers_that_never_work(place):
    simulator = Simulator(place, *SIZE)
    for program, words in (("/bin/false", "exit status 1"), (place.path / "none", "none"), ("/dev/null", "/dev/null")):
        done = sweep(place, environment=simulator.environment(ORGSWEEP_WORKER=program), check=False)
        assert done.code == 2 and words in done.last_line and done.seconds < 20, (program, done.err)
        assert done.report is None


# --- the store ---

@suite.test
def two_sweeps_share_a_store(place):
    truth = expected(place)
    redis = Redis(place)
    simulator = slow(place)
    both = [Running(place, simulator, "--store", redis.url, XDG_STATE_HOME=place.path / f"state-{i}") for i in range(2)]
    for running in both:
        code, report, text = running.finish()
        assert report and stable(report) == truth, text
    listed = json.loads(orgsweep(place, "status", "--json", "--store", redis.url, environment=place.environment()).stdout)
    assert len(listed["sweeps"]) == 2, listed


def sweeps_in(redis):
    """Ids in the index, oldest first; and of whatever sweep a key is left."""
    indexed = redis.ask("ZRANGE", "swp:index", 0, -1).decode().split()
    keys = redis.ask("KEYS", "swp:*").decode().split()
    return indexed, {key.split(":")[1] for key in keys} - {"index", "catalogue", "workers"}


@suite.test
def old_sweeps_go_with_all_their_keys(place):
    redis = Redis(place)
    small = Simulator(place, "--seed", 47, "--accounts", 3, "--regions", 1)
    kept = lambda number: sweep(place, "--keep", number, "--store", redis.url, environment=small.environment(XDG_STATE_HOME=place.path / "another"))
    first, second = kept(10), kept(10)
    redis.ask("SET", "other:key", "stays")
    day_ms, now_ms = 24 * 3600 * 1000, int(time.time() * 1000)
    workers = {"gone": {"state": "ready", "seen_ms": now_ms - day_ms - 1000}, "lost": {"state": "ready", "seen_ms": now_ms - day_ms + 600000}}
    for name, row in workers.items():
        redis.ask("HSET", "swp:workers", name, json.dumps(row))
    redis.ask("HSET", "swp:workers", "no-row", "?")
    slowly = slow(place)
    running = Running(place, slowly, "--store", redis.url)
    under_way(slowly)
    third = kept(1)
    ids = [one.report["sweep"]["id"] for one in (first, second, third)]
    indexed, with_keys = sweeps_in(redis)
    rows = redis.ask("HKEYS", "swp:workers").decode().split()
    assert "lost" in rows and not {"gone", "no-row"} & {*rows}, rows
    assert not {ids[0], ids[1]} & ({*indexed} | with_keys) and ids[2] in indexed and len(indexed) == 2, (ids, indexed, with_keys)
    code, report, text = running.finish()  # it is another coordinator's, and not finished
    assert report and stable(report) == expected(place), text
    read = orgsweep(place, "report", "--all", "--store", redis.url, "--output", "-", environment=place.environment())
    assert read.returncode == 0, read
    last = kept(1)
    assert sweeps_in(redis) == ([last.report["sweep"]["id"]], {last.report["sweep"]["id"]})
    assert len(redis.ask("KEYS", "swp:catalogue:*").decode().split()) == 1 and redis.ask("GET", "other:key").strip() == b"stays"
    # One that has been running for two days had a coordinator until an hour ago, and may have one again.
    long_one = last.report["sweep"]["id"]
    redis.ask("HSET", f"swp:{long_one}:sweep", "state", "running", "started_at_ms", now_ms - 2 * day_ms, "until", now_ms - day_ms // 24)
    kept(1)
    assert long_one in sweeps_in(redis)[0]
    redis.ask("HSET", f"swp:{long_one}:sweep", "until", now_ms - day_ms - 1000)
    kept(1)
    assert long_one not in sweeps_in(redis)[0] and long_one not in sweeps_in(redis)[1]


@suite.test
def coordinators_that_start_at_once(place):
    """Each looks for what killed ones have left; what another has just made, and not locked yet, is none of that."""
    simulator, said = Simulator(place, "--seed", 7, "--accounts", 1, "--regions", 1), []
    for turn in range(3):
        states = [place.path / f"{turn}-{number}-{'a-path-too-long-for-a-socket' * 3}" for number in range(16)]
        started = [subprocess.Popen([str(ORGSWEEP), "sweep", "--quiet", "--store", "redis://127.0.0.1:1", "--output", "-"], cwd=place.path,
                                    env=simulator.environment(XDG_STATE_HOME=state), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for state in states]
        time.sleep(1.5)
        for process in started:
            process.terminate()
        said += [process.communicate()[1] for process in started]
    assert not [text for text in said if "folder" in text or "lock" in text], said


@suite.test
def another_catalogue_than_the_one_it_was_swept_with(place):
    """Whoever reads, goes on with or correlates a sweep sees that, and says so."""
    redis = Redis(place)
    small = Simulator(place, "--seed", 48, "--accounts", 2, "--regions", 1)
    done = sweep(place, "--store", redis.url, environment=small.environment(XDG_STATE_HOME=place.path / "another"))
    sweep_id = done.report["sweep"]["id"]
    key = redis.ask("KEYS", "swp:catalogue:*").decode().strip()
    before = redis.ask("GET", key).strip()
    ask = lambda *words: orgsweep(place, *words, "--store", redis.url, environment=small.environment())
    for state in "finished", "running":
        for damaged in before + b"\n\n", b"{}":
            redis.put(damaged, "SET", key)
            redis.ask("HSET", f"swp:{sweep_id}:sweep", "state", state)
            read = ask("report", sweep_id, "--output", "-")
            assert read.returncode == 2 and "its catalogue" in read.stderr, (state, read)
            assert redis.ask("HGET", f"swp:{sweep_id}:sweep", "state").decode().strip() == state  # nothing was correlated with it
            if state == "running":
                resumed = ask("sweep", "--resume", sweep_id)
                assert resumed.returncode == 2 and "its catalogue is damaged" in resumed.stderr, resumed
    redis.put(before, "SET", key)
    assert ask("report", sweep_id, "--output", "-").returncode == 0


def packed(value):
    """MessagePack of lists, texts and small numbers."""
    if isinstance(value, list):
        return (bytes([0x90 + len(value)]) if len(value) < 16 else b"\xdc" + len(value).to_bytes(2, "big")) + b"".join(map(packed, value))
    if isinstance(value, str):
        return b"\xda" + len(value.encode()).to_bytes(2, "big") + value.encode()
    return b"\xc0" if value is None else bytes([value])


@suite.test
def a_record_larger_than_any_answer_of_the_store(place):
    """A long list with long evidence: 70 MiB in one job."""
    redis = Redis(place)
    done = sweep(place, "--all", "--checks", "aws-sagemaker-001", "--store", redis.url, environment=Simulator(place, *SIZE).environment())
    failed = [row for row in done.report["results"] if row["status"] == "FAIL"][0]
    key = f"swp:{done.report['sweep']['id']}:job:{failed['account']}:{failed['region']}"
    part, seal = (redis.ask("HGET", key, field)[:-1] for field in ("p0", "s"))
    at = part.index(b"\x97\x01")  # its first row: a result of check and status
    check, status = part[at + 2], part[at + 3]
    parts, rows = 64, 140
    row = lambda number: packed([1, check, status, f"{failed['resource']}-{number:05d}", json.dumps({"RootAccess": "x" * 8000}), 0, None])
    for number in range(parts):
        redis.put(b"\x92\x01\xcc" + bytes([rows]) + b"".join(row(number * rows + i) for i in range(rows)), "HSET", key, f"p{number}")
    assert seal[1:3] == b"\x01\x01", seal  # version, parts
    redis.put(seal[:2] + bytes([parts]) + seal[3:], "HSET", key, "s")
    read = orgsweep(place, "report", "--all", "--store", redis.url, "--output", "-", environment=place.environment())
    assert read.returncode == 0, read.stderr
    there = [row for row in json.loads(read.stdout)["results"] if (row["account"], row["region"]) == (failed["account"], failed["region"])]
    assert len(there) == parts * rows and len(read.stdout) > 64 << 20


@suite.test
def records_that_are_broken(place):
    """Whoever else writes to the store: a clear message, never a wrong report without a word."""
    redis = Redis(place)
    done = sweep(place, "--all", "--store", redis.url, environment=Simulator(place, *SIZE).environment())
    name = done.report["sweep"]["id"]
    keys = [key for key in redis.ask("KEYS", f"swp:{name}:job:*").decode().split()
            if redis.ask("HEXISTS", key, "s").strip() == b"1"]
    catalogue = redis.ask("KEYS", "swp:catalogue:*").decode().split()[0]
    accounts, account = f"swp:{name}:accounts", done.report["accounts"][0]["id"]
    broken = [("HSET", keys[0], "s", "garbage"), ("HSET", keys[0], "s", ""), ("HSET", keys[0], "p0", "\xff" * 40), ("HDEL", keys[0], "p0"),
              ("HSET", accounts, account, "garbage"), ("HSET", accounts, "../../x", "garbage"), ("SET", catalogue, "{}"), ("DEL", catalogue),
              ("SET", accounts, "of another type"), ("HSET", f"swp:{name}:sweep", "selection", "no-such-check"),
              ("HSET", f"swp:{name}:sweep", "version", "999"), ("HSET", f"swp:{name}:sweep", "started_at_ms", "yesterday"),
              ("HSET", f"swp:{name}:chains:{account}", "AC-37", "garbage"), ("RPUSH", f"swp:{name}:gaps", "garbage")]
    whole = redis.ask("SAVE") and (redis.folder / "dump.rdb").read_bytes()
    assert whole
    for words in broken:
        key = words[1]
        before = subprocess.run(["redis-cli", "-s", str(redis.socket), "COPY", key, "kept", "REPLACE"], capture_output=True, text=True)
        redis.ask(*words)
        read = orgsweep(place, "report", "--all", "--store", redis.url, "--output", "-", environment=place.environment())
        assert read.returncode == 2 and name in read.stderr and "store" in read.stderr, (words, read.returncode, read.stderr, read.stdout[:200])
        redis.ask("DEL", key)
        if before.stdout.strip() == "1":
            redis.ask("COPY", "kept", key, "REPLACE")
    again = orgsweep(place, "report", "--all", "--store", redis.url, "--output", "-", environment=place.environment())
    assert again.returncode == 0 and again.stdout == done.text


SEALED_JOBS = """local sealed = 0
for _, key in ipairs(redis.call('KEYS', 'swp:*:job:*')) do sealed = sealed + redis.call('HEXISTS', key, 's') end
return sealed"""


@suite.test
def a_store_that_forgets(place):
    """What it had acknowledged is gone, be it another run or the same: it is done again."""
    truth = expected(place)
    for emptied_by in ("restart", "command"):
        redis = Redis(place, "--databases", "2", folder=place.path / f"redis-{emptied_by}")
        simulator = slow(place)
        running = Running(place, simulator, "--store", redis.url)
        under_way(simulator)
        wait_for(lambda: int(redis.ask("EVAL", SEALED_JOBS, 0)) >= 3, 20, "sealed jobs")
        time.sleep(0.5)  # the coordinator has been told
        if emptied_by == "restart":
            redis.kill()
            shutil.rmtree(redis.folder / "appendonlydir")
            redis.start()
        else:
            redis.ask("FLUSHALL")
        code, report, text = running.finish()
        assert report and stable(report) == truth, text
        assert "account.redo" in text, text
        redis.kill()


@suite.test
def a_store_without_memory(place):
    truth = expected(place)
    redis = Redis(place, "--maxmemory-policy", "noeviction")
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url)
    under_way(simulator)
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


@suite.test
def a_store_that_is_not_there(place):
    """The line names the cause and what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stores = [(f"redis://127.0.0.1:{free_port()}", "Connection refused"), (f"unix://{place.path}/none", "No such file"),
                  ("redis://none.invalid", "none.invalid"), (f"redis://127.0.0.1:{silent.getsockname()[1]}", "answer")]
        running = [(Running(place, Simulator(place, *SIZE), "--store", url), url, words) for url, words in stores]
        for one, url, words in running:
            code, report, text = one.finish()
            last = text.splitlines()[-1]
            assert code == 2 and report is None and words in last and "--store" in last, (url, last)


@suite.test
def a_disk_that_runs_full_under_the_private_store(place):
    truth = expected(place)
    with SmallDisk(place.path / "small", "4m") as disk:
        simulator = slow(place)
        running = Running(place, simulator, XDG_STATE_HOME=disk.folder)
        under_way(simulator)
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
    under_way(simulator)
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


# --- what AWS says, and what stands between ---

@suite.test
def spoiled_answers_are_gaps_with_their_reason(place):
    clean = Simulator(place, "--seed", 44, "--accounts", 24, "--regions", 1)
    truth = sweep(place, "--all", environment=clean.environment()).report
    ids = [a["id"] for a in truth["accounts"] if a["swept"] and not any(g["account"] == a["id"] for g in truth["coverage"]["gaps"])]
    rows = [("garbage", "malformed-response"), ("empty-body", "malformed-response"), ("cut-body", "malformed-response"),
            ("truncated", "malformed-response"), ("wrong-type:NotebookInstances", "malformed-response"),
            ("missing-member:NotebookInstances", "malformed-response"), ("repeated-token", "malformed-response"), ("huge", "limit-reached"),
            ("deep:100000", "limit-reached"), ("reset", "service-unavailable"), ("close-before-answer", "service-unavailable"),
            ("proxy-html:403", "service-unavailable"), ("proxy-html:407", "service-unavailable"), ("proxy-html:502", "service-unavailable"),
            ("server-error:500", "service-unavailable")]
    assert len(ids) >= len(rows), (len(ids), len(rows))
    faults = [word for account, (kind, _) in zip(ids, rows) for word in
              ("--fault", f"account={account},operation=sagemaker:ListNotebookInstances,kind={kind}")]
    done = sweep(place, "--all", environment=Simulator(place, "--seed", 44, "--accounts", 24, "--regions", 1, *faults).environment())
    assert done.code == 4, done.code
    was, now = cells(truth), cells(done.report)
    spoiled = {(account, check): (kind, reason) for account, (kind, reason) in zip(ids, rows) for check in ("aws-sagemaker-001", "aws-sagemaker-002")}
    reasons = {(g["account"], g["check_id"]): g["reason"] for g in done.report["coverage"]["gaps"]}
    for key, status in now.items():
        if (key[0], key[2]) in spoiled:
            kind, reason = spoiled[key[0], key[2]]
            read = "FAIL" if kind == "repeated-token" and was[key] == "FAIL" else "NOT_ASSESSED"  # what stood before the token counts
            assert (status, reasons[key[0], key[2]]) == (read, reason), (kind, status, reasons[key[0], key[2]])
        else:
            assert status == was[key], (key, status, was[key])
    assert {a["id"] for a in done.report["accounts"] if a["swept"]} == {a["id"] for a in truth["accounts"] if a["swept"]}
    quiet = sweep(place, "--all", "--fail-on", "none", environment=Simulator(place, "--seed", 44, "--accounts", 24, "--regions", 1, *faults).environment())
    assert quiet.code == 3, quiet.code


@suite.test
def spoiled_answers_to_the_coordinator(place):
    for operation, words in (("sts:GetCallerIdentity", "GetCallerIdentity"), ("organizations:DescribeOrganization", "DescribeOrganization"),
                             ("organizations:ListAccounts", "ListAccounts")):
        for kind in ("garbage", "deep:100000", "huge", "empty-body"):
            simulator = Simulator(place, *SIZE, "--fault", f"operation={operation},kind={kind}")
            done = sweep(place, environment=simulator.environment(), check=False)
            assert done.code == 2 and words in done.last_line and done.report is None, (operation, kind, done.err)
            simulator.process.terminate()
    broken = Simulator(place, *SIZE, "--page-size", 4, "--fault", "operation=organizations:ListAccounts,kind=garbage,after=1")
    report = sweep(place, environment=broken.environment()).report
    assert report["sweep"]["enumeration"] == "incomplete" and report["sweep"]["status"] == "partial"
    assert [g["reason"] for g in report["coverage"]["gaps"] if g["account"] is None] == ["malformed-response"]


@suite.test
def a_proxy_is_used_or_not_as_told(place):
    simulator = Simulator(place, *SIZE)
    truth = stable(sweep(place, "--all", environment=simulator.environment()).report)
    simulator.ask("reset-statistics", "POST")
    proxy = Proxy(user="somebody:marker-of-the-proxy-password-6")
    for name in ("HTTPS_PROXY", "https_proxy"):
        before = len(proxy.connects)
        done = sweep(place, "--all", environment=simulator.environment(**{name: proxy.url, "ORGSWEEP_LOG_LEVEL": "debug"}))
        assert stable(done.report) == truth
        assert len(proxy.connects) > before and not proxy.refused
        for form in forms_of("marker-of-the-proxy-password-6"):
            assert form not in done.err.encode() and form not in done.text.encode()
    statistics = simulator.ask("statistics")
    assert statistics["connections_accepted"] - statistics["control_requests"] <= len(proxy.connects), (statistics, len(proxy.connects))
    shut = Proxy(refuse=("*",))
    for name, hosts in (("NO_PROXY", "127.0.0.1"), ("no_proxy", "example.com, 127.0.0.1"), ("NO_PROXY", "*")):
        done = sweep(place, "--all", environment=simulator.environment(HTTPS_PROXY=shut.url, **{name: hosts}))
        assert stable(done.report) == truth and not shut.connects, (name, hosts)


@suite.test
def a_proxy_s_refusal_is_not_aws_s_word(place):
    simulator = Simulator(place, "--seed", 45, "--accounts", 4, "--regions", 1)
    elsewhere = f"https://localhost:{simulator.ready['port']}"
    denial = json.dumps({"__type": "AccessDeniedException", "message": "explicit deny in a service control policy"}).encode()
    truth = sweep(place, "--all", environment=simulator.environment()).report
    for status, checks in ((403, ()), (407, ("--checks", "aws-bedrock-001")), (502, ("--checks", "aws-bedrock-002"))):
        proxy = Proxy(refuse=("localhost",), status=status, body=denial)
        done = sweep(place, "--all", *checks, environment=simulator.environment(HTTPS_PROXY=proxy.url, AWS_ENDPOINT_URL_BEDROCK=elsewhere))
        entered = [a["id"] for a in truth["accounts"] if a["swept"]]
        gaps = [g for g in done.report["coverage"]["gaps"] if g["check_id"].startswith("aws-bedrock-") and g["account"] in entered]
        assert proxy.refused > 0 and gaps and {g["reason"] for g in gaps} == {"service-unavailable"}, (status, gaps)
        for gap in gaps:
            assert gap["error_code"] == "ProxyError" and str(status) in gap["message"] and not gap["request_id"], gap
        assert done.report["coverage"]["closed"] == 0
        if checks:
            assert done.code == 3 and not [a for a in done.report["accounts"] if a["swept"]], "a proxy's word is not an answer of AWS"
        else:
            others = lambda report: {key: state for key, state in cells(report).items() if "sagemaker" in key[2]}
            assert done.code == 4 and others(done.report) == others(truth)
    for url, words in ((Proxy(refuse=("*",), status=407, body=denial).url, "407"), (f"http://127.0.0.1:{free_port()}", "HTTPS_PROXY")):
        done = sweep(place, environment=simulator.environment(HTTPS_PROXY=url), check=False)
        assert done.code == 2 and "proxy" in done.last_line.lower() and words in done.last_line, done.err


@suite.test
def certificates_that_can_t_be_used(place):
    simulator = Simulator(place, *SIZE)
    bundle = place.path / "bundle.pem"
    for text, words in ((None, "bundle.pem"), ("garbage", "bundle.pem"), ("", "bundle.pem")):
        if text is not None:
            bundle.write_text(text)
        done = sweep(place, environment=dict(simulator.environment(), AWS_CA_BUNDLE=str(bundle)), check=False)
        assert done.code == 2 and words in done.last_line and done.seconds < 10, (text, done.err)
    environment = simulator.environment()
    del environment["AWS_CA_BUNDLE"]  # the system's certificates do not vouch for the simulator
    done = sweep(place, environment=environment, check=False)
    assert done.code == 2 and "certificate" in done.last_line and "AWS_CA_BUNDLE" in done.last_line, done.err


# --- the fleet's door ---

@suite.test
def only_who_is_allowed_gets_in(place):
    """Over TCP: an unknown key, a wrong idea of the coordinator's key, noise and a peer without encryption; the sweep goes on."""
    truth = expected(place)
    redis = Redis(place)
    simulator = slow(place)
    keys, port = place.path / "keys", free_port()
    good, good_public = write_keys(place.path, "good")
    evil, _ = write_keys(place.path, "evil")
    (keys / "allowed").mkdir(parents=True)
    keys.chmod(0o700)
    shutil.copy(good_public, keys / "allowed")
    endpoint = f"tcp://127.0.0.1:{port}"
    running = Running(place, simulator, "--listen", endpoint, "--keys", keys, "--workers", 0, "--store", redis.url)
    wait_for((keys / "server.pub").exists, 10, "the coordinator's own key")
    assert (keys / "server.key").stat().st_mode & 0o777 == 0o600

    def worker(key, server, log):
        environment = simulator.environment()
        process = subprocess.Popen([str(WORKER), "--connect", endpoint, "--key", str(key), "--server-key", str(server), "--store", redis.url],
                                   env={k: v for k, v in environment.items() if k != "AWS_SECRET_ACCESS_KEY"}, stderr=open(place.path / log, "w"))
        place.children.append(process)
        return process
    wait_for(lambda: "worker.waiting" in running.said(), 10, "it says that it waits for workers")
    worker(evil, keys / "server.pub", "evil.log")
    worker(good, good_public, "lost.log")
    for noise in (os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", zmtp_greeting(b"NULL") + b"\x04\x05READY", zmtp_greeting(b"CURVE") + os.urandom(512),
                  b"\xff" * 65536):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(noise)
            stranger.settimeout(0.3)
            try:
                while stranger.recv(4096):
                    pass
            except OSError:
                pass
    silent = socket.create_connection(("127.0.0.1", port))
    wait_for(lambda: "worker.refused" in running.said(), 10, "the coordinator tells of the unknown key")
    wait_for(lambda: (place.path / "evil.log").read_text().count("link.key") > 0, 10, "the worker tells why")
    time.sleep(2.5)  # it has tried again
    told = running.said().count("worker.refused")
    assert told == 1, f"one key, told {told} times"
    assert simulator.ask("statistics")["by_operation"].get("sagemaker:ListNotebookInstances", 0) == 0, "nobody was given a job"
    assert running.process.poll() is None, running.said()
    able = worker(good, keys / "server.pub", "good.log")
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    silent.close()
    start = time.monotonic()
    able.send_signal(signal.SIGTERM)
    assert able.wait(35) == 0 and time.monotonic() - start < 10, "a worker without jobs drains at once"


@suite.test
def a_worker_that_joins_and_one_that_leaves(place):
    """A remote worker drains on SIGTERM: what it has it finishes, the rest is another one's."""
    truth = expected(place)
    redis = Redis(place)
    simulator = slow(place)
    keys, endpoint = place.path / "keys", f"tcp://127.0.0.1:{free_port()}"
    key, public = write_keys(place.path, "remote")
    (keys / "allowed").mkdir(parents=True)
    keys.chmod(0o700)
    shutil.copy(public, keys / "allowed")
    running = Running(place, simulator, "--listen", endpoint, "--keys", keys, "--workers", 1, "--store", redis.url)
    wait_for((keys / "server.pub").exists, 10, "the coordinator's own key")
    remote = subprocess.Popen([str(WORKER), "--connect", endpoint, "--key", str(key), "--server-key", str(keys / "server.pub"), "--store", redis.url],
                              env=simulator.environment(), stderr=subprocess.DEVNULL)
    place.children.append(remote)
    under_way(simulator)
    remote.terminate()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert remote.wait(35) == 0


# --- secrets ---

@suite.test
def nothing_is_written_when_it_crashes(place):
    """Neither the coordinator nor a worker may leave memory on disk, or let another process of the user look into it."""
    nobody = 65534
    simulator = hanging(place, 3)
    for path in [place.path, *place.path.rglob("*")]:
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
    as_nobody = {"user": nobody, "group": nobody, "extra_groups": []} if os.geteuid() == 0 else {}
    if as_nobody:
        os.chown(place.path, nobody, nobody)
        try:
            runs = subprocess.run([str(ORGSWEEP), "--version"], capture_output=True, **as_nobody).returncode == 0
        except PermissionError:
            runs = False
        if not runs:
            raise Skipped("another user can't run what was built here")
    running = Running(place, simulator, options=as_nobody)
    in_flight(simulator, 3)
    for pid in (running.process.pid, running.child("orgsweep-worker")):
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]], limits
        # What is not dumpable belongs to root there (proc(5)); a process that is dumpable, to its user.
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0, "it can be dumped"
    assert os.stat(f"/proc/{running.child('redis-server')}/environ").st_uid != 0, "the test sees a difference"
    running.signal(signal.SIGINT)


suite.main(at_once=4)
