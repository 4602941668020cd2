"""Builds and runs every test; prints a line for each step, the output of those that fail, and last "N passed, N failed".

usage: runner.py [--only PART] [--list] [--jobs N]"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILDS = ROOT / "tests" / ".build"
PYTHON = sys.executable
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
STEP_SECONDS = 840
VALGRIND = ("valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect "
            "--errors-for-leak-kinds=definite,indirect")

CONFIGURATIONS = {
    "gcc": ({"CC": "gcc"}, ["--buildtype=debugoptimized", "-Dwerror=true"]),
    "clang-sanitizers": ({"CC": "clang"}, ["--buildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined",
                                           "-Db_lundef=false", "-Dwerror=true"]),
    "release": ({"CC": "gcc"}, ["--buildtype=release", "-Dwerror=true"]),
}


class Outcome:
    def __init__(self, passed, failed, text):
        self.passed, self.failed, self.text = passed, failed, text


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


def meson_tests(name, suite=None, wrap=None, multiplier=1, only=None):
    folder = BUILDS / name
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--num-processes", "2", "-t", str(multiplier)]
    log = "testlog"
    if suite:
        command += ["--suite", suite]
    if wrap:
        command += [f"--wrap={wrap}"]
        log = "testlog-valgrind"
    code, text = run(command)
    passed = failed = 0
    logs = folder / "meson-logs"
    for line in (logs / f"{log}.json").read_text().splitlines() if (logs / f"{log}.json").exists() else []:
        result = json.loads(line)["result"]
        passed += result in ("OK", "EXPECTEDFAIL")
        failed += result not in ("OK", "EXPECTEDFAIL", "SKIP")
    if code and not failed:
        failed = 1
    return Outcome(passed, failed, text)


def program(*command):
    """A test program of its own: its closing line counts; without one, its exit code is one test."""
    code, text = run(command)
    closing = CLOSING.findall(text)
    if not closing:
        return Outcome(int(not code), int(bool(code)), text)
    passed, failed = sum(int(row[0]) for row in closing[-1:]), sum(int(row[1]) for row in closing[-1:])
    if code and not failed:
        failed = 1
    return Outcome(passed, failed, text)


def formatting():
    code, listed = run(["git", "ls-files", "*.c", "*.h"])
    files = [name for name in listed.splitlines() if (ROOT / name).exists()]
    code, text = run(["clang-format", "--dry-run", "-Werror", *files])
    return Outcome(int(not code), int(bool(code)), text[-4000:])


def shell_scripts():
    code, text = run(["shellcheck", "deploy/quickstart", "deploy/install-packages", "tests/run", ".ci/run"])
    return Outcome(int(not code), int(bool(code)), text)


def python(script, *arguments):
    return lambda: program(PYTHON, ROOT / "tests" / script, *arguments)


GCC = BUILDS / "gcc"
ORGSWEEP = GCC / "coordinator" / "orgsweep"

# name, what to do, what must have been done before
STEPS = [
    ("build gcc", lambda: build("gcc"), ()),
    ("lint floors", python("lint/floors.py"), ()),
    ("lint headers", python("lint/headers.py"), ()),
    ("lint sizes", python("lint/sizes.py"), ()),
    ("lint formatting", formatting, ()),
    ("lint shell", shell_scripts, ()),
    ("build clang with sanitizers", lambda: build("clang-sanitizers"), ("build gcc",)),
    ("unit and scenario tests, gcc", lambda: meson_tests("gcc", multiplier=4), ("build gcc",)),
    ("unit and scenario tests, clang with sanitizers", lambda: meson_tests("clang-sanitizers", multiplier=8),
     ("build clang with sanitizers",)),
    ("unit tests, valgrind", lambda: meson_tests("gcc", suite="unit", wrap=VALGRIND, multiplier=20), ("unit and scenario tests, gcc",)),
    ("lint role", python("lint/role.py", ORGSWEEP), ("build gcc",)),
]
STEPS += [(f"contract {path.stem[5:]}", python(f"contract/{path.name}", GCC), ("build gcc",))
          for path in sorted((ROOT / "tests" / "contract").glob("test-*.py"))]
STEPS += [(f"sweep {path.stem[5:]}", python(f"sweeps/{path.name}", GCC), ("build gcc",))
          for path in sorted((ROOT / "tests" / "sweeps").glob("test-*.py"))]
STEPS += [(f"simulator {path.stem[5:]}", python(f"simulator/{path.name}", GCC / "tests/simulator/orgsweep-simulator"), ("build gcc",))
          for path in sorted((ROOT / "tests" / "simulator").glob("test-*.py"))]


def timed(action):
    start = time.monotonic()
    try:
        outcome = action()
    except Exception as error:  # a broken step is a failed one, never a lost one
        outcome = Outcome(0, 1, f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - start


def show(name, outcome, seconds):
    print(f"{'ok  ' if not outcome.failed else 'FAIL'} {name}: {outcome.passed} passed, {outcome.failed} failed [{seconds:.0f} s]", flush=True)
    if outcome.failed:
        print(outcome.text[-12000:], flush=True)


def schedule(steps, jobs):
    waiting, done, passed, failed = list(steps), {}, 0, 0
    names = {name for name, _, _ in steps}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {}
        while waiting or running:
            for step in list(waiting):
                name, action, needs = step
                if len(running) < jobs and all(done.get(need, need not in names) for need in needs):
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
    return passed, failed


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
    passed, failed = schedule(steps, options.jobs)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
