"""What lies in the repository: no file over 1 MiB, none that names a folder of this machine, each test program registered, each row of a
test table with its program. Ends with "N passed, N failed"."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 20
TABLES = {"tests/unit": "test-", "tests/fuzz": "fuzz-"}
ROW = re.compile(r"^  \['([a-z0-9-]+)', \[", re.M)


def table_faults():
    for folder, prefix in TABLES.items():
        rows = set(ROW.findall((ROOT / folder / "meson.build").read_text()))
        programs = {path.stem[len(prefix):] for path in (ROOT / folder).glob(f"{prefix}*.c")}
        for name in sorted(rows ^ programs):
            yield f"{folder}/{prefix}{name}.c: {'no row in meson.build' if name in programs else 'a row without its program'}"
    for name in sorted(ROW.findall((ROOT / "tests/fuzz/meson.build").read_text())):
        if not list((ROOT / "tests/fuzz/corpus" / name).glob("*")):
            yield f"tests/fuzz/corpus/{name}: no seeds"


def main():
    # Where this copy lies and who runs it: neither is of anybody's concern.
    places = {f"{place}/".encode() for place in (ROOT, pathlib.Path.home()) if len(place.parts) > 1}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    unregistered = list(table_faults())
    for fault in unregistered:
        print(fault)
    passed, failed = int(not unregistered), int(bool(unregistered))
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        faults = [f"{name}: {len(content)} bytes"] if len(content) > MOST_BYTES else []
        faults += [f"{name}: names {place.decode()}" for place in places if place in content]
        for fault in faults:
            print(fault)
        failed += bool(faults)
        passed += not faults
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
