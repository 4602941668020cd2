"""Function sizes: half under 20 lines, nine of ten under 60, none over 90. Ends with "N passed, N failed"."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def functions(path):
    """Yields (line, name, length): with this formatting a function's body begins with { and ends with } in the first column."""
    name, start = None, None
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            head = " ".join(lines[max(0, number - 8):number - 1])
            found = re.findall(r"([a-z_][a-z0-9_]*)\s*\(", head)
            name, start = (found[0] if found else "?"), number
        elif line == "}" and start is not None:
            yield start, name, number - start + 1
            start = None


def main():
    listed = subprocess.run(["git", "ls-files", "proto/*.c", "checks/*.c", "worker/*.c", "coordinator/*.c"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    sizes, faults = [], []
    for line in listed.stdout.splitlines():
        for start, name, length in functions(ROOT / line):
            sizes.append(length)
            if length > 90:
                faults.append(f"{line}:{start} {name}: {length} lines")
    sizes.sort()
    rules = [("half of the functions under 20 lines", sizes[len(sizes) // 2] < 20),
             ("nine of ten under 60 lines", sizes[len(sizes) * 9 // 10] < 60),
             ("none over 90 lines", not faults)]
    for fault in faults:
        print(fault)
    for text, good in rules:
        if not good:
            print(f"not so: {text}")
    failed = sum(not good for _, good in rules)
    print(f"{len(sizes)} functions, median {sizes[len(sizes) // 2]} lines")
    print(f"{len(rules) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
