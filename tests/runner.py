"""Builds and runs every test; prints a line for each step, the output of those that fail, and last "N passed, N failed".

A skipped test is counted as skipped, never as passed; the line before the last says how many there were.

usage: runner.py [--only PART] [--list] [--jobs N]"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILDS = ROOT / "tests" / ".build"
PYTHON = sys.executable
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
CMOCKA = re.compile(r"^\[  (PASSED|SKIPPED|FAILED ) *\] (\d+) test", re.M)
SKIPPED_EXIT = 77
STEP_SECONDS = 840
VALGRIND = ("valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect "
            "--errors-for-leak-kinds=definite,indirect")

CONFIGURATIONS = {
    "gcc": ({"CC": "gcc"}, ["--buildtype=debugoptimized", "-Dwerror=true"]),
    "clang-sanitizers": ({"CC": "clang"}, ["--buildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined",
                                           "-Db_lundef=false", "-Dwerror=true"]),
    "release": ({"CC": "gcc"}, ["--buildtype=release", "-Db_ndebug=true", "-Dwerror=true"]),
}


class Outcome:
    def __init__(self, passed, failed, text, skipped=0):
        self.passed, self.failed, self.text, self.skipped = passed, failed, text, skipped


def environment():
    """Nothing of the caller's AWS or orgsweep settings reaches a test; no credentials are looked for outside this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ORGSWEEP_")) and k.upper() not in
            ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY")}
    kept.update(AWS_EC2_METADATA_DISABLED="true", PYTHONDONTWRITEBYTECODE="1",
                ASAN_OPTIONS="detect_leaks=1:abort_on_error=1:allocator_may_return_null=1",
                UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                PATH=f"{pathlib.Path(PYTHON).parent}:{os.environ['PATH']}")
    return kept


def run(command, **extra):
    try:
        done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, errors="replace",
                              timeout=STEP_SECONDS, env={**environment(), **extra}, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace") if isinstance(late.stdout, bytes) else (late.stdout or "")
        return 124, f"{text}\nnot done after {STEP_SECONDS} s"


def build(name):
    folder = BUILDS / name
    variables, options = CONFIGURATIONS[name]
    code, text = 0, ""
    if not (folder / "build.ninja").exists():
        shutil.rmtree(folder, ignore_errors=True)
        code, text = run(["meson", "setup", folder, ROOT, *options], **variables)
    if not code:
        code, text = run(["ninja", "-C", folder])
    return Outcome(int(not code), int(bool(code)), text)


def cases_of(row):
    """(passed, failed, skipped) of one program that meson ran: cmocka's own count of cases, where it gives one."""
    if row["result"] == "SKIP":
        return 0, 0, 1
    counts = {"PASSED": 0, "SKIPPED": 0, "FAILED": 0}
    for kind, number in CMOCKA.findall(row.get("stdout", "") + "\n" + row.get("stderr", "")):
        counts[kind.strip()] += int(number)
    if row["result"] != "OK":
        return counts["PASSED"], max(1, counts["FAILED"]), counts["SKIPPED"]
    return (counts["PASSED"] if any(counts.values()) else 1), 0, counts["SKIPPED"]


def meson_tests(name, suite=None, wrap=None, multiplier=1):
    folder = BUILDS / name
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--num-processes", "2", "-t", str(multiplier)]
    log = folder / "meson-logs" / ("testlog-valgrind.json" if wrap else "testlog.json")
    if suite:
        command += ["--suite", suite]
    if wrap:
        command += [f"--wrap={wrap}"]
    log.unlink(missing_ok=True)
    code, text = run(command)
    rows = [json.loads(line) for line in log.read_text(errors="replace").splitlines()] if log.exists() else []
    passed, failed, skipped = (sum(column) for column in zip(*map(cases_of, rows))) if rows else (0, 1, 0)
    if code and not failed:
        failed = 1
    return Outcome(passed, failed, text, skipped)


def program(*command):
    """A test program of its own: its closing line counts; without one, its exit code is one test."""
    code, text = run(command)
    closing = CLOSING.findall(text)
    if code == SKIPPED_EXIT:
        return Outcome(0, 0, text, 1)
    if not closing:
        return Outcome(int(not code), int(bool(code)), text)
    passed, failed, skipped = (int(number or 0) for number in closing[-1])
    if code and not failed:
        failed = 1
    return Outcome(passed, failed, text, skipped)


def formatting():
    code, listed = run(["git", "ls-files", "*.c", "*.h"])
    files = [name for name in listed.splitlines() if (ROOT / name).exists()]
    code, text = run(["clang-format", "--dry-run", "-Werror", *files])
    return Outcome(int(not code), int(bool(code)), text[-4000:])


def shell_scripts():
    code, text = run(["shellcheck", "deploy/quickstart", "deploy/install-packages", "tests/run", "tests/fuzz/run", ".ci/run", "tests/simulator/bench-nginx.sh"])
    return Outcome(int(not code), int(bool(code)), text)


def python(script, *arguments):
    return lambda: program(PYTHON, ROOT / "tests" / script, *arguments)


GCC = BUILDS / "gcc"
RELEASE = BUILDS / "release"
ORGSWEEP = GCC / "coordinator" / "orgsweep"

def scripts(folder, what, *arguments, needs):
    return [(f"{what} {path.stem[5:]}", python(path.relative_to(ROOT / "tests"), *arguments), needs)
            for path in sorted((ROOT / "tests" / folder).glob("test-*.py"))]


# name, what to do, what must have been done before. The first ones are begun first.
STEPS = [
    ("build gcc", lambda: build("gcc"), ()),
    ("build clang with sanitizers", lambda: build("clang-sanitizers"), ()),
    ("build release", lambda: build("release"), ()),
    ("unit tests, valgrind", lambda: meson_tests("gcc", suite="unit", wrap=VALGRIND, multiplier=20), ("unit, scenario and fuzz tests, gcc",)),
    ("unit, scenario and fuzz tests, gcc", lambda: meson_tests("gcc", multiplier=4), ("build gcc",)),
    ("unit, scenario and fuzz tests, clang with sanitizers", lambda: meson_tests("clang-sanitizers", multiplier=8),
     ("build clang with sanitizers",)),
    *scripts("sweeps", "sweep", GCC, needs=("build gcc",)),
    ("chaos, short", python("chaos/chaos.py", GCC, "--short"), ("build gcc",)),
    *scripts("chaos", "chaos", GCC, needs=("build gcc",)),
    *scripts("fleet", "fleet", GCC, needs=("build gcc",)),
    *scripts("simulator", "simulator", GCC / "tests/simulator/orgsweep-simulator", needs=("build gcc",)),
    *scripts("contract", "contract", GCC, needs=("build gcc",)),
    ("model", python("model/run.py"), ()),
    ("lint headers", python("lint/headers.py"), ()),
    ("lint formatting", formatting, ()),
    ("lint floors", python("lint/floors.py"), ()),
    ("lint sizes", python("lint/sizes.py"), ()),
    ("lint tree", python("lint/tree.py"), ()),
    ("lint shell", shell_scripts, ()),
    ("lint role", python("lint/role.py", ORGSWEEP), ("build gcc",)),
    ("benchmark, short", python("bench/bench.py", RELEASE, "--short"), ("build release",)),
    ("benchmark of large organizations, short", python("bench/scale.py", RELEASE, "--short"), ("build release",)),
    ("benchmark, sizes are as measured", python("bench/sizing.py", "docs/scale.md", "--check", "docs/sizing.md"), ()),
    ("benchmark, soak is as measured", python("bench/soak.py", RELEASE, "--check"), ()),
]


def timed(action):
    start = time.monotonic()
    try:
        outcome = action()
    except Exception as error:  # a broken step is a failed one, never a lost one
        outcome = Outcome(0, 1, f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - start


def show(name, outcome, seconds):
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    print(f"{'FAIL' if outcome.failed else 'ok  '} {name}: {outcome.passed} passed, {outcome.failed} failed{skipped} [{seconds:.0f} s]", flush=True)
    if outcome.failed:
        print(outcome.text[-12000:], flush=True)


def mostly_waits(name):
    """For latencies, leases and timeouts: it needs little of a core."""
    return name.startswith(("sweep ", "fleet ", "chaos"))


def has_room(name, running, jobs):
    """As many steps that compute as there are jobs, and beside them one that mostly waits."""
    alike = sum(mostly_waits(other) == mostly_waits(name) for other in running)
    return alike < (1 if mostly_waits(name) and jobs > 1 else jobs)


def schedule(steps, jobs):
    """Runs the steps, the first ones first. Returns (passed, failed, skipped)."""
    waiting, done, passed, failed, skipped = list(steps), {}, 0, 0, 0
    names = {name for name, _, _ in steps}
    with concurrent.futures.ThreadPoolExecutor(jobs + 1) as pool:
        running = {}
        while waiting or running:
            for step in list(waiting):
                name, action, needs = step
                if has_room(name, running.values(), jobs) and all(done.get(need, need not in names) for need in needs):
                    waiting.remove(step)
                    running[pool.submit(timed, action)] = name
                elif any(done.get(need) is False for need in needs):
                    waiting.remove(step)
                    done[name] = False
                    failed += 1
                    print(f"FAIL {name}: what it needs failed", flush=True)
            if not running:
                continue
            for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                name = running.pop(future)
                outcome, seconds = future.result()
                show(name, outcome, seconds)
                done[name] = not outcome.failed or not name.startswith("build")
                passed += outcome.passed
                failed += outcome.failed
                skipped += outcome.skipped
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    steps = [step for step in STEPS if options.only in step[0] or (options.only and step[0] == "build gcc")]
    if options.list:
        print("\n".join(step[0] for step in steps))
        return 0
    start = time.monotonic()
    passed, failed, skipped = schedule(steps, options.jobs)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{skipped} skipped; {time.monotonic() - start:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
