"""Checks the model of leases, commits and take-overs (sweep.pml) with spin: exhaustively in several sizes, and once more with each of its
guards taken away, which must be found out. docs/model.md tells what it is about. Ends with "N passed, N failed".

usage: run.py [NAME]         what has NAME in its name
       run.py --long [NAME]  larger sizes too: some minutes
       run.py --trail NAME   tells the counterexample of a guard that is missing, step by step"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parent / "sweep.pml"
SKIPPED_EXIT = 77
MEGABYTES = 1900
SECONDS = 400


def size(faults, fail_overs, attempts, lost_writes=0, jobs=1, workers=2):
    return dict(FAULTS=faults, FAIL_OVERS=fail_overs, ATTEMPTS=attempts, LOST_WRITES=lost_writes, JOBS=jobs, WORKERS=workers)


# name, size, whether cycles are looked for, too (which takes twice as long): no property may be broken.
SIZES = [
    ("two faults", size(2, 0, 3), True),
    ("a fail-over", size(0, 1, 3, 7), True),
    ("a fail-over and a fault", size(1, 1, 2, 2), False),
    ("a fail-over and a fault, one attempt", size(1, 1, 1, 3), True),
    ("two fail-overs", size(0, 2, 2, 3), False),
    ("two jobs and a fault", size(1, 0, 1, jobs=2), False),
    ("two jobs and a fail-over", size(0, 1, 1, 3, jobs=2), False),
    ("three workers and a fault", size(1, 0, 3, workers=3), False),
]
LONG_SIZES = [
    ("a fail-over and a fault, three lost writes", size(1, 1, 2, 3), True),
    ("three faults", size(3, 0, 3), True),
    ("a fail-over and two faults", size(2, 1, 1, 3), True),
    ("two fail-overs and a fault", size(1, 2, 1, 2), True),
    ("two jobs, a fault, two attempts", size(1, 0, 2, jobs=2), True),
    ("three workers and a fail-over", size(0, 1, 3, 4, workers=3), True),
]

QUIET = size(1, 0, 2)
ALONE = size(0, 1, 3, 4)
TOGETHER = size(1, 1, 2, 3)
# name, what is taken away, size, what breaks without it: an error must be found.
GUARDS = [
    ("epochs are compared", "WITHOUT_EPOCH_CHECK", QUIET, "a late commit wins"),
    ("terms are compared", "WITHOUT_TERM_CHECK", QUIET, "a deposed coordinator writes"),
    ("a grant looks at the seal", "GRANT_WITHOUT_LOOK_AT_SEAL", QUIET, "a record loses its parts"),
    ("a give-up looks at the seal", "GIVE_UP_WITHOUT_LOOK_AT_SEAL", QUIET, "a sealed job is given up"),
    ("a commit looks whether the job was given up", "COMMIT_TO_GIVEN_UP", QUIET, "what was given up has a record"),
    ("seals are looked up before the end", "WITHOUT_RECONCILIATION", ALONE, "a lost seal is not missed"),
    ("so are jobs that were given up", "RECONCILE_SEALED_ONLY", ALONE, "a job is neither done nor given up"),
    ("the seal must be the one that was counted", "RECONCILE_LOOKS_FOR_ANY_SEAL", ALONE, "another record than the one counted"),
    ("the end is written in the run that was looked at", "FINISH_IN_ANY_RUN", ALONE, "the end is there, a record is not"),
    ("a grant drops parts", "GRANT_KEEPS_PARTS", ALONE, "a record of two writers"),
    ("an asserted grant drops parts", "ASSERT_KEEPS_PARTS", TOGETHER, "a record of two writers"),
    ("epochs are counted from the term", "EPOCH_FROM_STORE_ALONE", TOGETHER, "two workers hold one epoch"),
    ("what is done again goes on with the epochs", "REDO_FORGETS_EPOCHS", ALONE, "two workers hold one epoch"),
    ("adoption does not set the least epoch back", "ADOPTION_LOWERS_EPOCH", TOGETHER, "two workers hold one epoch"),
    ("epochs of a later term are not adopted", "ADOPT_ANY_EPOCH", TOGETHER, "two workers hold one epoch"),
    ("terms are taken from the clock", "TERM_WITHOUT_CLOCK", size(2, 1, 1, 2), "two coordinators have one term"),
]

# What makes the work less, but guards nothing: without it all properties hold.
SAVINGS = [
    ("a look-up when a lease ran out", "WITHOUT_LOOK_UP", [QUIET, ALONE, size(1, 1, 1, 3)]),
    ("open grants are asserted", "WITHOUT_ASSERTED_GRANTS", [ALONE, size(1, 1, 1, 3)]),
]


class Broken(Exception):
    pass


def call(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode not in (0, 1):
        raise Broken(f"{command[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def definitions(sizes, switches):
    return [f"-D{name}={value}" for name, value in sizes.items()] + [f"-D{name}" for name in switches]


def build(folder, sizes, *switches, options=("-O1", "-DSAFETY")):
    text = MODEL.read_text()
    # A search by breadth takes no variables outside the state.
    (folder / MODEL.name).write_text(text.replace("hidden byte", "byte") if "-DBFS" in options else text)
    text = call(folder, "spin", *definitions(sizes, switches), "-a", MODEL.name)
    if not (folder / "pan.c").exists():
        raise Broken(text)
    text = call(folder, "gcc", "-w", "-DNOFAIR", f"-DMEMLIM={MEGABYTES}", *options, "-o", "pan", "pan.c")
    if not (folder / "pan").exists():
        raise Broken(text)


def check(sizes, *switches, cycles=False):
    """(errors, what pan says). A search that could not be finished is neither."""
    with tempfile.TemporaryDirectory(prefix="orgsweep-model-") as name:
        folder = pathlib.Path(name)
        optimized = "-O0" if sizes is QUIET or sizes is ALONE else "-O1"  # compiling may take longer than looking
        build(folder, sizes, *switches, options=(optimized, "-DNP" if cycles else "-DSAFETY"))
        text = call(folder, "./pan", "-m10000", "-w22", *(["-l"] if cycles else []))
    found = re.search(r"errors: (\d+)", text)
    if not found or any(word in text for word in ("max search depth too small", "out of memory", "MEMLIM bound", "interrupted")):
        raise Broken(text[-3000:])
    return int(found.group(1)), text


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0


def figures(text):
    states = number(r"([0-9.e+]+) states, stored", text)
    depth = number(r"depth reached (\d+)", text)
    megabytes = number(r"([0-9.]+)\s+total actual memory", text)
    return f"{states:,.0f} states, depth {depth:.0f}, {megabytes:.0f} MB"


def first_error(text):
    found = re.search(r"^pan:\d+: (.*) \(at depth", text, re.M)
    return found.group(1) if found else "?"


# Lines of the model that no size has come to.
unreached = None


def note_unreached(text):
    global unreached
    lines = set(re.findall(r"^\tsweep\.pml:(\d+), state \d+, \"(?!-end-)", text, re.M))
    unreached = lines if unreached is None else unreached & lines


def holds(sizes, *switches, cycles=False):
    errors, text = check(sizes, *switches, cycles=cycles)
    if not cycles and "EPOCHS_WITHIN_TERM" in switches:
        note_unreached(text)
    return not errors, figures(text) if not errors else first_error(text)


def breaks(sizes, switch, expected):
    errors, text = check(sizes, switch)
    return bool(errors), f"{expected}: {first_error(text)}" if errors else f"nothing is missed: {figures(text)}"


def all_hold(several, switch):
    outcomes = [holds(sizes, switch) for sizes in several]
    return all(good for good, _ in outcomes), "; ".join(told for _, told in outcomes)


def every_step():
    if unreached is None:
        return True, "no size was looked at"
    return not unreached, "every step is taken somewhere" if not unreached else f"never taken: lines {', '.join(sorted(unreached, key=int))}"


def tests(long):
    for name, sizes, cycles in SIZES + (LONG_SIZES if long else []):
        yield f"holds: {name}", lambda sizes=sizes: holds(sizes, "EPOCHS_WITHIN_TERM")
        if cycles:
            yield f"ends: {name}", lambda sizes=sizes: holds(sizes, cycles=True)
    yield "steps", every_step
    for name, switch, sizes, expected in GUARDS:
        yield f"needed: {name}", lambda sizes=sizes, switch=switch, expected=expected: breaks(sizes, switch, expected)
    for name, switch, several in SAVINGS:
        yield f"not needed: {name}", lambda several=several, switch=switch: all_hold(several, switch)


def tell_trail(name):
    for row, switch, sizes, expected in GUARDS:
        if name not in row and name != switch:
            continue
        with tempfile.TemporaryDirectory(prefix="orgsweep-model-") as place:
            folder = pathlib.Path(place)
            build(folder, sizes, switch, options=("-O1", "-DSAFETY", "-DBFS"))  # breadth first: the shortest
            call(folder, "./pan", "-m10000", "-w22", "-n")
            told = call(folder, "spin", *definitions(sizes, [switch]), "-T", "-k", "sweep.pml.trail", MODEL.name)
        print(f"Not so: {row} ({switch}). Then: {expected}.")
        print("\n".join(line.strip() for line in told.splitlines() if re.match(r"\s*(coordinator \d|worker \d|mark|fail-over|the )", line)))


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--trail"] and len(arguments) == 2:
        tell_trail(arguments[1])
        return 0
    if not shutil.which("spin"):
        print("spin is not installed")
        return SKIPPED_EXIT
    long = "--long" in arguments
    wanted = [word for word in arguments if word != "--long"]
    passed = failed = 0
    for name, action in tests(long):
        if wanted and not any(word in name for word in wanted):
            continue
        start = time.monotonic()
        try:
            good, told = action()
        except (Broken, OSError, subprocess.TimeoutExpired) as error:
            good, told = False, str(error)
        print(f"{'ok  ' if good else 'FAIL'} {name}: {told} [{time.monotonic() - start:.1f} s]", flush=True)
        passed += good
        failed += not good
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
