"""What lies in the repository: no file over 1 MiB, none that names a folder of this machine. Ends with "N passed, N failed"."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 20


def main():
    # Where this copy lies and who runs it: neither is of anybody's concern.
    places = {f"{place}/".encode() for place in (ROOT, pathlib.Path.home()) if len(place.parts) > 1}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    passed = failed = 0
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
