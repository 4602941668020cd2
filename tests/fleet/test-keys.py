"""orgsweep keys, and what a coordinator that runs makes of it: a worker is let in, cut off, and let in again."""
import json
import os
import shutil
import signal
import subprocess
import time

from listener import Fleet, events_of
from common import ORGSWEEP, Simulator, Suite, orgsweep, wait_for
from peers import Redis, write_keys

suite = Suite()
SLOW = ("--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:400")


def keys(place, *words, folder="keys", **environment):
    arguments = ["--keys", place.path / folder] if folder else []
    done = orgsweep(place, "keys", *words, *arguments, environment=place.environment(**environment))
    assert done.returncode in (0, 2), done.stderr
    assert done.returncode == 0 or (done.stderr.startswith("orgsweep: ") and not done.stdout) or words[0] == "show", (done.stdout, done.stderr)
    return done


def refused(place, words, *command, **more):
    done = keys(place, *command, **more)
    assert done.returncode == 2 and words in done.stderr, (command, words, done.stderr)


def mode(path):
    return path.stat().st_mode & 0o777


@suite.test
def pairs_are_made_and_kept(place):
    folder = place.path / "keys"
    done = keys(place, "new", "rack-7")
    assert done.returncode == 0 and f"orgsweep keys allow {folder}/rack-7.pub --keys {folder}\n" in done.stdout, done.stdout
    assert mode(folder) == 0o700 and mode(folder / "rack-7.key") == 0o600
    secret, public = (folder / "rack-7.key").read_text(), (folder / "rack-7.pub").read_text()
    assert "secret-key" in secret and "secret-key" not in public and public.split('"')[1] in secret and public.split('"')[1] in done.stdout
    assert secret.split('"')[3] not in done.stdout + done.stderr
    refused(place, "not overwritten", "new", "rack-7")
    assert (folder / "rack-7.key").read_text() == secret
    assert keys(place, "new", "server").returncode == 0
    for bad in ("a/b", "", ".x", "x" * 64, "a b", "\u00e4", "a\x1b[31mb"):
        refused(place, "no name for a key", "new", bad)
    made = json.loads(keys(place, "new", "j", "--json").stdout)
    assert made == {"made": True, "name": "j", "public_key": (folder / "j.pub").read_text().split('"')[1]}


@suite.test
def workers_are_allowed_and_revoked(place):
    folder = place.path / "keys"
    empty = json.loads(keys(place, "show", "--json").stdout)
    assert empty == {"allowed": [], "folder": str(folder), "server": None}
    assert "nobody yet" in keys(place, "show").stdout
    for name in ("server", "rack-7", "rack-8"):
        keys(place, "new", name)
    public = {name: (folder / f"{name}.pub").read_text().split('"')[1] for name in ("server", "rack-7", "rack-8")}
    done = keys(place, "allow", folder / "rack-7.pub")
    assert done.returncode == 0 and "rack-7" in done.stdout and public["rack-7"] in done.stdout
    assert mode(folder / "allowed") == 0o700 and mode(folder / "allowed" / "rack-7.pub") == 0o600
    assert "already" in keys(place, "allow", folder / "rack-7.pub").stdout
    refused(place, "secret key", "allow", folder / "rack-8.key")
    refused(place, "coordinator's own", "allow", folder / "server.pub")
    refused(place, "can't be read", "allow", folder / "rack-9.pub")
    shutil.copy(folder / "rack-7.pub", place.path / "other.pub")
    refused(place, "allowed already, as rack-7", "allow", place.path / "other.pub")
    write_keys(place.path, "rack-7")
    refused(place, "keys revoke rack-7", "allow", place.path / "rack-7.pub")
    assert json.loads(keys(place, "allow", folder / "rack-8.pub", "--json").stdout) == {
        "added": True, "name": "rack-8", "public_key": public["rack-8"]}
    shown = json.loads(keys(place, "show", "--json").stdout)
    assert shown["server"] == public["server"]
    assert shown["allowed"] == [{"name": name, "public_key": public[name]} for name in ("rack-7", "rack-8")]
    text = keys(place, "show").stdout
    assert all(key in text for key in public.values())
    refused(place, "did you mean rack-7", "revoke", "rack-77")
    assert public["rack-7"] in keys(place, "revoke", "rack-7").stdout
    refused(place, "did you mean rack-8", "revoke", "rack-7")
    assert [row["name"] for row in json.loads(keys(place, "show", "--json").stdout)["allowed"]] == ["rack-8"]
    assert (folder / "rack-7.key").exists()
    (folder / "allowed" / "odd.pub").write_text("nonsense\n")
    done = keys(place, "show")
    assert done.returncode == 2 and "odd.pub" in done.stderr and public["rack-8"] in done.stdout, done.stderr
    os.chmod(folder / "allowed", 0o777)
    refused(place, "chmod 700", "show")


@suite.test
def how_it_is_called(place):
    for words, said in ((("new",), "usage"), (("show", "x"), "usage"), (("allow",), "usage"), (("revok", "x"), "revoke"), (("nonsense",), "--help"),
                        (("new", "a", "b"), "")):
        refused(place, said, *words)
    done = orgsweep(place, "keys", environment=place.environment())
    assert done.returncode == 2
    done = orgsweep(place, "keys", "--help", environment=place.environment())
    assert done.returncode == 0 and "orgsweep keys revoke" in done.stdout and "--keys DIR" in done.stdout
    assert orgsweep(place, "key", environment=place.environment()).stderr.count("orgsweep keys") == 1
    # Without --keys: in the state folder; by the environment, too.
    assert keys(place, "new", "a", folder=None).returncode == 0
    assert (place.path / "state" / "orgsweep" / "keys" / "a.pub").exists()
    assert keys(place, "new", "a", folder=None, ORGSWEEP_KEYS=place.path / "elsewhere").returncode == 0
    assert (place.path / "elsewhere" / "a.key").exists()
    (place.path / "orgsweep.yaml").write_text(f"keys: {place.path / 'configured'}\n")
    assert keys(place, "new", "a", "--config", place.path / "orgsweep.yaml", folder=None).returncode == 0
    assert (place.path / "configured" / "a.key").exists()


@suite.test
def of_another_user(place):
    """Root must not leave files that the coordinator's user can't read."""
    if os.geteuid() != 0:
        return
    folder = place.path / "keys"
    keys(place, "new", "a")
    os.chown(folder, 65534, 65534)
    refused(place, "as that user", "new", "b")
    refused(place, "as that user", "allow", folder / "a.pub")


@suite.test
def a_worker_is_revoked_in_mid_sweep(place):
    """Cut off within a second, told once by name; its jobs are another's, and the report is the same. Allowed again it comes back by itself."""
    fleet = Fleet(place, "--latency-ms", 20, "--fault", "operation=sagemaker:Describe*,kind=slow:2500", allowed=("honest", "dropped"))
    dropped = fleet.worker("dropped")
    fleet.wait_event("worker.ready", worker="dropped")
    time.sleep(1)
    start = time.monotonic()
    fleet.keys("revoke", "dropped")
    fleet.wait_event("worker.revoked", worker="dropped")
    fleet.wait_event("worker.gone", worker="dropped", why="revoked")
    assert time.monotonic() - start < 2, "cut off, but late"
    told = wait_for(lambda: events_of(dropped.log_path, "link.key"), 15, "the worker says why")
    assert "orgsweep keys allow NAME.pub" in told[0]["why"], told
    fleet.worker("honest")
    fleet.wait_event("worker.ready", worker="honest")
    time.sleep(3)
    assert len(events_of(dropped.log_path, "link.key")) == 1 and len(fleet.events("worker.revoked")) == 1
    assert not fleet.events("worker.refused"), "who was revoked is told twice"
    fleet.keys("allow", fleet.keys_folder / "dropped.pub")
    fleet.wait_event("worker.allowed", worker="dropped", seconds=3)
    fleet.wait_event("worker.ready", count=2, worker="dropped")
    counts = fleet.expect_truth()
    assert counts["revoked"] == 1, counts
    assert dropped.poll() is None


@suite.test
def a_worker_is_allowed_in_mid_sweep(place):
    """It was there first, was refused, says why, and gets in without anybody's restart."""
    fleet = Fleet(place, *SLOW, allowed=())
    fleet.keys("new", "late")
    late = fleet.worker("late")
    wait_for(lambda: events_of(late.log_path, "link.key"), 15, "the worker says why")
    fleet.wait_event("worker.refused", public_key=fleet.public("late"))
    fleet.keys("allow", fleet.keys_folder / "late.pub")
    start = time.monotonic()
    fleet.wait_event("worker.allowed", worker="late", seconds=3)
    fleet.wait_event("worker.ready", worker="late", seconds=10)
    assert time.monotonic() - start < 8
    fleet.expect_truth()
    late.send_signal(signal.SIGTERM)
    assert late.wait(35) == 0


@suite.test
def without_a_keys_option(place):
    """The coordinator and `orgsweep keys` mean the same folder."""
    simulator, redis = Simulator(place, "--accounts", 1), Redis(place)
    process = subprocess.Popen([str(ORGSWEEP), "sweep", "--quiet", "--listen", "tcp://127.0.0.1:0", "--workers", "0", "--store", redis.url],
                               env=simulator.environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=place.path)
    place.children.append(process)
    public = place.path / "state" / "orgsweep" / "keys" / "server.pub"
    wait_for(public.exists, 10, "the coordinator's own key")
    shown = wait_for(lambda: json.loads(keys(place, "show", "--json", folder=None).stdout)["server"], 5, "shown")
    assert shown == public.read_text().split('"')[1]


suite.main(at_once=3)
