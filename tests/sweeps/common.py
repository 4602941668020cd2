"""What whole-sweep tests share: programs, a simulator, a sweep, and the invariants that every report must keep."""
import base64
import concurrent.futures
import contextlib
import difflib
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ROOT / "build"
ORGSWEEP = BUILD / "coordinator" / "orgsweep"
WORKER = BUILD / "worker" / "orgsweep-worker"
SIMULATOR = BUILD / "tests" / "simulator" / "orgsweep-simulator"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())


def closed(schema):
    """The schema without room for members that it does not name: readers must bear those, but ours are to be documented."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: False if key == "additionalProperties" else closed(value) for key, value in schema.items()}


CLOSED_SCHEMA = closed(SCHEMA)
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO")
REASONS = SCHEMA["properties"]["coverage"]["properties"]["gaps"]["items"]["properties"]["reason"]["enum"]


class Place:
    """A folder of its own, gone at the end with everything that was started in it."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="orgsweep-test-"))
        self.children = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        left = self.left_running()
        for pid, _ in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.path, ignore_errors=True)
        if kind is None:
            assert not left, f"left running: {left}"

    def left_running(self):
        """What of it still runs, 3 s after everything was ended."""
        end = time.monotonic() + 3
        left = processes_of(self)
        while left and time.monotonic() < end:
            time.sleep(0.05)
            left = processes_of(self)
        return left

    def environment(self, **extra):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ORGSWEEP_", "XDG_"))}
        kept.update(HOME=str(self.path), XDG_STATE_HOME=str(self.path / "state"), AWS_EC2_METADATA_DISABLED="true")
        kept.update({k: str(v) for k, v in extra.items() if v is not None})
        return kept


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Simulator:
    def __init__(self, place, *arguments, organization=None):
        self.place = place
        folder = pathlib.Path(tempfile.mkdtemp(prefix="simulator-", dir=place.path))
        ready = folder / "ready.json"
        command = [str(SIMULATOR), "--listen", "127.0.0.1:0", "--state", str(folder), "--ready-file", str(ready), "--die-with-parent",
                   *map(str, arguments)]
        if organization is not None:
            (folder / "organization.json").write_text(json.dumps(organization))
            command += ["--organization", str(folder / "organization.json")]
        self.error_log = open(folder / "errors", "w+")
        self.process = subprocess.Popen(command, stderr=self.error_log, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        place.children.append(self.process)
        self.ready = wait_for(lambda: self.read_ready(ready), 15, "simulator ready")
        self.url = f"https://127.0.0.1:{self.ready['port']}"

    def read_ready(self, path):
        if self.process.poll() is not None:
            self.error_log.seek(0)
            raise AssertionError("the simulator ended: " + self.error_log.read())
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            return None

    def environment(self, **extra):
        return self.place.environment(AWS_ENDPOINT_URL=self.url, AWS_CA_BUNDLE=self.ready["ca"], AWS_ACCESS_KEY_ID=self.ready["access_key_id"],
                                      AWS_SECRET_ACCESS_KEY=self.ready["secret_access_key"], AWS_REGION="us-east-1", **extra)

    def ask(self, path, method="GET", body=None):
        command = ["curl", "-s", "--cacert", self.ready["ca"], "-X", method, self.url + "/_simulator/" + path]
        if body is not None:
            command += ["-d", body if isinstance(body, str) else json.dumps(body)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return json.loads(answer) if answer.strip().startswith(("{", "[")) else answer


class Swept:
    def __init__(self, code, out, err, report, text, seconds):
        self.code, self.out, self.err, self.report, self.text, self.seconds = code, out, err, report, text, seconds

    @property
    def last_line(self):
        return self.err.rstrip().splitlines()[-1] if self.err.strip() else ""


def orgsweep(place, *arguments, environment, timeout=120, stdin=subprocess.DEVNULL):
    done = subprocess.run([str(ORGSWEEP), *map(str, arguments)], env=environment, capture_output=True, text=True, errors="surrogateescape",
                          timeout=timeout, stdin=stdin, cwd=place.path)
    return done


def sweep(place, *arguments, environment, timeout=120, check=True):
    """Sweeps into a report file, and holds the report to its invariants."""
    target = place.path / f"report-{time.monotonic_ns()}.json"
    start = time.monotonic()
    done = orgsweep(place, "sweep", "--quiet", "--output", target, *arguments, environment=environment, timeout=timeout)
    seconds = time.monotonic() - start
    report = text = None
    if target.exists():
        text = target.read_text()
        report = json.loads(text)
        assert target.stat().st_mode & 0o777 == 0o600, oct(target.stat().st_mode)
        check_report(report, text)
    elif check:
        raise AssertionError(f"no report; exit {done.returncode}\n{done.stderr}")
    lines = done.stderr.rstrip().splitlines()
    assert lines and lines[-1].startswith(f"exit {done.returncode}: "), f"last line is {lines[-1:]} with exit {done.returncode}"
    return Swept(done.returncode, done.stdout, done.stderr, report, text, seconds)


def null_first(value):
    return (value is not None, (value or "").encode())


def key_order(pairs):
    keys = [key for key, _ in pairs]
    assert keys == sorted(keys, key=str.encode), f"keys not sorted: {keys}"
    assert len(set(keys)) == len(keys), f"a key twice: {keys}"
    return dict(pairs)


def of_one_shape_once(rows):
    """Rows that differ in digits alone (account, request id) are one to the schema, which takes a millisecond a row."""
    return list({re.sub(r"[0-9]", "0", json.dumps(row)): row for row in rows}.values())


def validate(report):
    """Against the schema."""
    coverage = dict(report["coverage"], gaps=of_one_shape_once(report["coverage"]["gaps"]))
    jsonschema.validate(dict(report, results=of_one_shape_once(report["results"]), coverage=coverage), CLOSED_SCHEMA,
                        cls=jsonschema.Draft202012Validator)


def check_report(report, text=None):
    """Contract §2, §3: schema, sums, order, agreement of the parts."""
    validate(report)
    if text is not None:
        json.loads(text, object_pairs_hook=key_order)
    coverage = report["coverage"]
    assert coverage["planned"] == sum(coverage[k] for k in ("pass", "fail", "not_applicable", "not_assessed")), coverage
    seen = coverage["planned"] - coverage["not_assessed"] - coverage["partial"]
    percent = (10000 * seen // coverage["planned"]) / 100 if coverage["planned"] else 0
    if report["sweep"]["enumeration"] == "incomplete":
        assert coverage["percent"] < 100
    else:
        assert coverage["percent"] == percent, (coverage["percent"], percent)
    row_key = lambda r: (null_first(r["account"]), null_first(r["region"]), null_first(r["check_id"]), null_first(r["resource"]))
    for rows in (report["results"], coverage["gaps"]):
        keys = [row_key(row) for row in rows]
        assert keys == sorted(keys), "rows are not sorted"
    keys = [row_key(row) for row in report["results"]]
    assert len(keys) == len(set(keys)), "a result stands twice"
    ids = [account["id"] for account in report["accounts"]]
    assert ids == sorted(ids) and len(ids) == len(set(ids))
    chain_key = lambda c: (c["chain_id"], c["account"], c["regions"], c["resources"])
    assert [chain_key(c) for c in report["chains"]] == sorted(chain_key(c) for c in report["chains"])
    gap_cells = {(g["account"], g["region"], g["check_id"]) for g in coverage["gaps"] if g["account"]}
    assert len(gap_cells) == coverage["not_assessed"] + coverage["partial"], (len(gap_cells), coverage)
    failed = [row for row in report["results"] if row["status"] == "FAIL"]
    for severity in SEVERITIES:
        assert report["summary"]["findings"][severity] == sum(row["severity"] == severity for row in failed)
    fail_cells = {(r["account"], r["region"], r["check_id"]) for r in failed}
    assert len(fail_cells) == coverage["fail"], (len(fail_cells), coverage["fail"])
    unread = {(r["account"], r["region"], r["check_id"]) for r in report["results"] if r["status"] == "NOT_ASSESSED"}
    assert len(unread - fail_cells) == coverage["not_assessed"]
    assert len(unread & fail_cells) == coverage["partial"]


def stable(report):
    """The report without what may differ between two sweeps of the same organization."""
    copy = json.loads(json.dumps(report))
    for member in ("id", "started_at", "finished_at", "caller_arn", "endpoints"):
        copy["sweep"].pop(member)
    for gap in copy["coverage"]["gaps"]:
        gap.pop("message"), gap.pop("request_id")
    copy["summary"].pop("calls")
    return copy


def assert_same(got, wanted):
    """Two stable reports are equal; if not, says where they begin to differ."""
    left, right = (json.dumps(stable(report), indent=1, sort_keys=True).splitlines() for report in (got, wanted))
    assert left == right, "\n".join(list(difflib.unified_diff(right, left, "wanted", "got", n=6, lineterm=""))[:60])


def cells(report):
    """(account, region, check) → status, from rows of a report with --all."""
    order = {"FAIL": 0, "NOT_ASSESSED": 1, "PASS": 2, "NOT_APPLICABLE": 3}
    states = {}
    for row in report["results"]:
        key = (row["account"], row["region"], row["check_id"])
        states[key] = min(states.get(key, row["status"]), row["status"], key=order.get)
    return states


def processes_of(place):
    """Pids of whatever still runs with this place in its environment or command line (zombies do not count)."""
    found = []
    mark = str(place.path).encode()

    def read(path):
        with contextlib.suppress(OSError):  # gone, or (the environment of ours, unless we are root) not for us to see
            return path.read_bytes()
        return b""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid() or b" Z " in read(entry / "stat").split(b")")[-1][:4]:
            continue
        command = read(entry / "cmdline")
        if mark in command or mark in read(entry / "environ"):
            found.append((int(entry.name), command.replace(b"\0", b" ").decode()))
    return found


def forms_of(secret):
    """A secret as it could leak: raw, base64 (three alignments), URL-encoded."""
    raw = secret.encode()
    forms = {raw, urllib.parse.quote(secret, safe="").encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + raw)
        forms.add(encoded[4 if shift else 0:-4 if len(encoded) > 12 else None])
    return {form for form in forms if len(form) >= 8}


TOKEN_BEGINS = "eyJrZXkiOi"  # as each session token of the simulator does


def search_for(secrets, seen):
    """Nothing of `seen` (name → bytes) holds a secret in any form."""
    for name, text in seen.items():
        for secret in secrets:
            for form in forms_of(secret):
                assert form not in text, (name, form)


def memory_of(pid):
    """What a core dump of the process would hold."""
    pieces, span = [], None
    with open(f"/proc/{pid}/smaps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            words = line.split()
            if "-" in words[0] and words[1].startswith("rw"):
                span = [int(number, 16) for number in words[0].split("-")]
            elif "-" in words[0]:
                span = None
            elif words[0] == "Rss:" and words[1] != "0" and span:
                memory.seek(span[0])
                pieces.append(memory.read(span[1] - span[0]) or b"")
    return b"".join(pieces)


class Skipped(Exception):
    """What a test needs is not to be had here; says what."""


class Suite:
    """Collects test functions, runs them, prints failures whole and the closing line."""

    def __init__(self):
        self.tests, self.alone = [], set()

    def test(self, function):
        self.tests.append(function)
        return function

    def test_alone(self, function):
        """One that measures time: no other test of the suite runs beside it."""
        self.alone.add(function)
        return self.test(function)

    def main(self, at_once=1):
        """`at_once`: processes for tests that mostly wait; each test has a place and processes of its own."""
        only = [word for word in sys.argv[2:] if not word.startswith("-")]
        wanted = [test for test in self.tests if not only or any(word in test.__name__ for word in only)]
        beside = [test for test in wanted if test not in self.alone] if at_once > 1 else []
        counts = dict.fromkeys(("ok", "FAIL", "skip"), 0)

        def tell(outcome):
            counts[outcome[0]] += 1
            print(outcome[1], flush=True)
        if beside:
            with concurrent.futures.ProcessPoolExecutor(at_once, multiprocessing.get_context("fork")) as pool:
                for future in concurrent.futures.as_completed([pool.submit(run_test, test) for test in beside]):
                    tell(future.result())
        for test in wanted:
            if test not in beside:
                tell(run_test(test))
        print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
        sys.exit(1 if counts["FAIL"] or not counts["ok"] + counts["skip"] else 0)


def run_test(function):
    """How it went, and the lines that tell it."""
    start = time.monotonic()
    try:
        with Place() as place:
            function(place)
        return "ok", f"ok   {function.__name__} [{time.monotonic() - start:.1f} s]"
    except Skipped as why:
        return "skip", f"skip {function.__name__}: {why}"
    except Exception:
        return "FAIL", f"FAIL {function.__name__} [{time.monotonic() - start:.1f} s]\n{traceback.format_exc()}"
