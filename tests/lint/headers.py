"""Every header compiles alone, with gcc and clang. Ends with "N passed, N failed"."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", '-DSWP_VERSION="0"', "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fsyntax-only", "-I", str(ROOT),
         "-x", "c"]


def main():
    listed = subprocess.run(["git", "ls-files", "proto/*.h", "checks/*.h", "worker/*.h", "coordinator/*.h"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    passed = failed = 0
    for header in listed.stdout.splitlines():
        good = True
        for compiler in ("gcc", "clang"):
            if not shutil.which(compiler):
                print(f"{compiler} is not installed")
                good = False
                continue
            unit = f'#include "{header}"\nint swp_alone;\n'
            done = subprocess.run([compiler, *FLAGS, "-"], input=unit, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                print(f"{header} does not compile alone with {compiler}:\n{done.stderr}")
                good = False
        passed += good
        failed += not good
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
