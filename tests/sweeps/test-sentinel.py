"""A central Redis with a replica and sentinels: the primary goes in the middle of a sweep, and the report is the same."""
import concurrent.futures
import json
import re
import signal
import subprocess
import time

from common import ORGSWEEP, ROOT, Simulator, Suite, orgsweep, stable, sweep, wait_for
from fleet import SEALED
from peers import free_port
from running import SIZE, Running, expected, slow, under_way
from stores import Group, Server, certificates, variables

suite = Suite()


@suite.test
def a_primary_killed_in_the_middle(place):
    truth = expected(place)
    group = Group(place)
    simulator = slow(place)
    running = Running(place, simulator, "--store", group.url, "--workers", 2)
    under_way(simulator)
    first, second = group.in_order()
    first.kill()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert group.primary() is second and "store.away" in text, text
    again = orgsweep(place, "report", "--all", "--store", group.url, "--output", "-", environment=place.environment())
    assert again.returncode == 0 and json.loads(again.stdout) == report, again.stderr
    first.start()  # it is made a replica, and takes over again
    wait_for(lambda: first.told("replication", "role") == "slave" and first.told("replication", "master_link_status") == "up", 30, "a replica")
    simulator = slow(place)
    running = Running(place, simulator, "--store", group.url)
    under_way(simulator)
    second.kill()
    code, report, text = running.finish()
    assert report and stable(report) == truth and group.primary() is first, text


@suite.test
def a_primary_stopped_and_continued_as_a_replica(place):
    """It takes connections and says nothing; later it still believes for a moment that it is the primary."""
    truth = expected(place)
    group = Group(place)
    simulator = slow(place, 4000)
    running = Running(place, simulator, "--store", group.url, "--workers", 2)
    under_way(simulator)
    first, second = group.in_order()
    first.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: group.primary() is second, 20, "a fail-over")
    wait_for(lambda: int(second.told("clients", "connected_clients") or 0) > 3 and "name=orgsweep-worker" in second.ask("CLIENT", "LIST"), 30,
             "coordinator and workers find the new primary")
    assert running.process.poll() is None, running.said()
    first.process.send_signal(signal.SIGCONT)
    wait_for(lambda: first.told("replication", "role") == "slave", 30, "it is demoted")
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    wait_for(lambda: first.told("replication", "master_link_status") == "up", 30, "it follows")
    again = orgsweep(place, "report", "--all", "--store", group.url, "--output", "-", environment=place.environment())
    assert again.returncode == 0 and json.loads(again.stdout) == report, again.stderr


@suite.test
def a_fail_over_that_loses_what_was_acknowledged(place):
    """The replica has not heard of the last seals when it becomes the primary: those jobs are done again."""
    truth = expected(place)
    group = Group(place)
    simulator = slow(place, 3000)
    running = Running(place, simulator, "--store", group.url)
    under_way(simulator)
    first, second = group.in_order()
    second.process.send_signal(signal.SIGSTOP)
    first.ask("CLIENT", "KILL", "TYPE", "replica")
    before = int(first.ask("EVAL", SEALED, 0))
    wait_for(lambda: int(first.ask("EVAL", SEALED, 0)) >= before + 3, 20, "seals")
    time.sleep(0.5)  # the coordinator has been told
    sealed = int(first.ask("EVAL", SEALED, 0))
    first.kill()
    second.process.send_signal(signal.SIGCONT)
    wait_for(lambda: second.told("replication", "role") == "master", 30, "a fail-over")
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    assert "account.redo" in text and sealed > before, text


@suite.test
def sentinels_that_are_away(place):
    """One of three is enough."""
    truth = expected(place)
    group = Group(place)
    for sentinel in group.sentinels[:2]:
        sentinel.kill()
    done = sweep(place, "--all", "--store", group.url, environment=Simulator(place, *SIZE).environment())
    assert stable(done.report) == truth
    for command in (("status", "--json"), ("doctor", "--json")):
        read = orgsweep(place, *command, "--store", group.url, environment=Simulator(place, *SIZE).environment())
        assert group.servers[0].host not in read.stderr and read.returncode in (0, 1), read
        told = json.loads(read.stdout)
        assert len(told["sweeps"]) == 1 if command[0] == "status" else [row["ok"] for row in told["checks"] if row["name"] == "store"] == [True], told


@suite.test
def what_is_wrong_is_named(place):
    group = Group(place)
    simulator = Simulator(place, *SIZE)
    nobody = f"127.0.0.1:{free_port()}"
    rows = [(f"sentinel://{group.hosts}/mymaster", ("mymaster", "only these: orgsweep", "--store")),
            (f"sentinel://{nobody}/orgsweep", ("no sentinel answers", nobody, "Connection refused")),
            (f"sentinel://{group.servers[0].host}/orgsweep", ("is no sentinel",))]

    def try_one(row):
        url, words = row
        done = sweep(place, "--store", url, environment=simulator.environment(XDG_STATE_HOME=place.path / words[0].replace(" ", "-")), check=False)
        assert done.code == 2 and all(word in done.last_line for word in words), (url, done.last_line)
        read = orgsweep(place, "status", "--store", url, environment=place.environment())
        assert read.returncode == 2 and all(word in read.stderr for word in words), (url, read.stderr)
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        list(pool.map(try_one, rows))


@suite.test
def with_tls_passwords_and_a_user(place):
    """Everything that an operator may want at once: TLS with client certificates everywhere, an ACL user, a password of the sentinels."""
    truth = expected(place)
    tls = certificates(place.path / "tls")
    lines = orgsweep(place, "store", "acl", environment=place.environment()).stdout.splitlines()
    line = next(line for line in lines if line.startswith("user orgsweep-coordinator on "))
    group = Group(place, line + " >marker-of-redis", "user default on >of-the-admin ~* &* +@all", tls=tls, login=("default", "of-the-admin"),
                  sentinel_password="marker-of-sentinels")
    simulator = slow(place)
    settings = dict(variables(tls), ORGSWEEP_STORE_PASSWORD="marker-of-redis", ORGSWEEP_STORE_SENTINEL_PASSWORD="marker-of-sentinels")
    url = f"sentinel://orgsweep-coordinator@{group.hosts}/orgsweep/0?tls=yes"
    running = Running(place, simulator, "--store", url, **settings)
    under_way(simulator)
    group.in_order()[0].kill()
    code, report, text = running.finish()
    assert report and stable(report) == truth, text
    done = sweep(place, "--store", url, environment=simulator.environment(**dict(settings, ORGSWEEP_STORE_SENTINEL_PASSWORD="wrong")), check=False)
    assert done.code == 2 and "ORGSWEEP_STORE_SENTINEL_PASSWORD" in done.last_line and "wrong" not in done.err, done.err
    start = time.monotonic()
    done = sweep(place, "--store", url.removesuffix("?tls=yes"), environment=simulator.environment(**settings), check=False)
    assert done.code == 2 and time.monotonic() - start < 60, done.err


@suite.test
def users_of_the_sentinels(place):
    """Coordinator, local workers and doctor log in with user and password where the sentinels have users; what is wrong is named."""
    truth = expected(place)
    group = Group(place, sentinel_password="marker-of-sentinels")
    for sentinel in group.sentinels:
        sentinel.ask("ACL", "SETUSER", "watcher", "on", ">marker-of-watcher", "-@all", "+sentinel|get-master-addr-by-name", "+sentinel|masters")
    settings = dict(ORGSWEEP_STORE_SENTINEL_USER="watcher", ORGSWEEP_STORE_SENTINEL_PASSWORD="marker-of-watcher")
    simulator = Simulator(place, *SIZE)
    done = sweep(place, "--all", "--workers", 2, "--store", group.url, environment=simulator.environment(**settings))
    assert stable(done.report) == truth, done.err
    assert all(sentinel.ask("ACL", "LOG") == "" for sentinel in group.sentinels)
    checked = orgsweep(place, "doctor", "--json", "--store", group.url, environment=simulator.environment(**settings))
    assert [row["ok"] for row in json.loads(checked.stdout)["checks"] if row["name"] == "store"] == [True], checked.stdout
    for sentinel in group.sentinels:
        sentinel.ask("ACL", "SETUSER", "mute", "on", ">marker-of-mute", "-@all")
    rows = [(dict(settings, ORGSWEEP_STORE_SENTINEL_USER=None), "ORGSWEEP_STORE_SENTINEL_USER"),
            (dict(settings, ORGSWEEP_STORE_SENTINEL_USER="nobody"), "ORGSWEEP_STORE_SENTINEL_USER"),
            (dict(ORGSWEEP_STORE_SENTINEL_USER="mute", ORGSWEEP_STORE_SENTINEL_PASSWORD="marker-of-mute"), "+sentinel|get-master-addr-by-name"),
            (dict(settings, ORGSWEEP_STORE_SENTINEL_PASSWORD=None), "there is no password")]

    def try_one(row):
        number, (wrong, words) = row
        environment = simulator.environment(XDG_STATE_HOME=place.path / f"state-{number}", **wrong)
        done = sweep(place, "--store", group.url, environment=environment, check=False)
        assert done.code == 2 and words in done.last_line and "marker" not in done.err, (wrong, done.err)
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        list(pool.map(try_one, enumerate(rows)))


@suite.test
def a_service_with_the_least_rights(place):
    """`orgsweep serve` as the user that `store acl` prints: its lease, its schedule and its sweep go on at the new primary."""
    truth = expected(place)
    lines = orgsweep(place, "store", "acl", environment=place.environment()).stdout.splitlines()
    line = next(line for line in lines if line.startswith("user orgsweep-coordinator on "))
    group = Group(place, line + " >marker-of-redis", "user default on >of-the-admin ~* &* +@all", login=("default", "of-the-admin"))
    simulator = slow(place, 3000)
    reports, file, log = place.path / "reports", place.path / "serve.yaml", place.path / "serve.log"
    reports.mkdir()
    file.write_text(f"store: sentinel://orgsweep-coordinator@{group.hosts}/orgsweep\nreports: {reports}\nworkers: 2\nall: true\n"
                    "sweeps:\n  nightly: {every: 30s}\n")
    serve = subprocess.Popen([str(ORGSWEEP), "serve", "--config", str(file)], stdout=subprocess.DEVNULL, stderr=log.open("w"), cwd=place.path,
                             env=simulator.environment(ORGSWEEP_STORE_PASSWORD="marker-of-redis"))
    place.children.append(serve)
    wait_for(lambda: "sweep.begun" in log.read_text() or serve.poll() is not None, 60, "a scheduled sweep")
    under_way(simulator)
    first, second = group.in_order()
    first.kill()
    wait_for(lambda: "sweep.ended" in log.read_text() or serve.poll() is not None, 90, "its end")
    assert serve.poll() is None, log.read_text()
    files = wait_for(lambda: list(reports.glob("nightly-*.json")), 10, "a report")
    assert stable(json.loads(files[0].read_text())) == truth, log.read_text()
    assert "NOPERM" not in log.read_text() and second.ask("ACL", "LOG") == "", log.read_text()
    serve.send_signal(signal.SIGTERM)
    assert serve.wait(40) == 0


def block(kind):
    """The lines of docs/redis.md in a fence of that kind."""
    return re.search(rf"```{re.escape(kind)}\n(.*?)```", (ROOT / "docs" / "redis.md").read_text(), re.S).group(1)


def by_the_manual(text, tls, folder, address_port, own_port):
    """For hosts and folders of here."""
    for old, new in (("/etc/redis/tls", tls), ("/etc/redis/users.acl", folder / "users.acl"), ("/var/lib/redis", folder),
                     ("bind 10.0.0.11", "bind 127.0.0.1"), ("bind 10.0.0.21", "bind 127.0.0.1"), ("10.0.0.11 6379", f"127.0.0.1 {address_port}"),
                     ("tls-port 6379", f"tls-port {own_port}"), ("tls-port 26379", f"tls-port {own_port}"), ("4gb", "64mb")):
        text = text.replace(old, str(new))
    return text


@suite.test
def the_manual_s_lines(place):
    """docs/redis.md, line by line: files, users, passwords; a fail-over in the middle of a sweep by these users."""
    truth = expected(place)
    tls = certificates(place.path / "tls")
    admin = ("default", "PASSWORD-OF-ADMIN")
    script = block("sh").replace("orgsweep store", f"{ORGSWEEP} store")
    servers, sentinels = [], []
    for name in ("first", "second"):
        folder, port = place.path / name, free_port()
        folder.mkdir()
        subprocess.run(["sh", "-c", script], cwd=folder, env=place.environment(), check=True, capture_output=True)
        text = by_the_manual(block("redis.conf"), tls, folder, None, port)
        if servers:
            text += by_the_manual("replicaof 10.0.0.11 6379\n", tls, folder, servers[0].port, port)
        servers.append(Server(place, name, text=text, tls=tls, login=admin, port=port))
        for user, password in (("orgsweep-coordinator", ">PASSWORD-OF-COORDINATOR"), ("orgsweep-worker", ">PASSWORD-OF-WORKERS")):
            servers[-1].ask("ACL", "SETUSER", user, password)
        servers[-1].ask("ACL", "SAVE")
    wait_for(lambda: servers[1].told("replication", "master_link_status") == "up", 20, "replication")
    for number in range(3):
        folder, port = place.path / f"sentinel-{number}", free_port()
        folder.mkdir()
        text = by_the_manual(block("sentinel.conf"), tls, folder, servers[0].port, port).replace("milliseconds orgsweep 5000", "milliseconds orgsweep 1000")
        sentinels.append(Server(place, folder.name, text=text, tls=tls, login=("default", "PASSWORD-OF-SENTINELS"), port=port, is_sentinel=True))
    for sentinel in sentinels:
        wait_for(lambda: Group.knows_all(sentinel), 30, "sentinels that know each other and the replica")
    url = f"sentinel://orgsweep-coordinator@{','.join(sentinel.host for sentinel in sentinels)}/orgsweep?tls=yes"
    settings = dict(variables(tls), ORGSWEEP_STORE_PASSWORD="PASSWORD-OF-COORDINATOR", ORGSWEEP_STORE_SENTINEL_USER="watcher",
                    ORGSWEEP_STORE_SENTINEL_PASSWORD="PASSWORD-OF-WATCHER", ORGSWEEP_STORE_WORKER_USER="orgsweep-worker",
                    ORGSWEEP_STORE_WORKER_PASSWORD="PASSWORD-OF-WORKERS")
    simulator = slow(place)
    running = Running(place, simulator, "--store", url, **settings)
    under_way(simulator)
    for name in ("orgsweep-coordinator", "orgsweep-worker"):
        assert f" user={name} " in servers[0].ask("CLIENT", "LIST"), name
    servers[0].kill()
    code, report, text = running.finish()
    assert report and stable(report) == truth and "store.unsafe" not in text, text
    assert servers[1].ask("ACL", "LOG") == "" and servers[1].told("replication", "role") == "master"
    assert all(sentinel.ask("ACL", "LOG") == "" for sentinel in sentinels)


suite.main(at_once=2)
