"""deploy/role.yaml grants exactly what the catalogue reads, plus the region lists; --write puts the list in. cfn-lint checks the template.

usage: role.py ORGSWEEP [--write]"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "deploy" / "role.yaml"
OWN = {"account:ListRegions", "ec2:DescribeRegions"}  # how the coordinator learns an account's regions
LIST = re.compile(r"( +)# begin actions\n.*?# end actions\n", re.S)


def wanted(orgsweep):
    listed = subprocess.run([orgsweep, "checks", "list", "--json"], capture_output=True, text=True, check=True)
    actions = set(OWN)
    for check in json.loads(listed.stdout)["checks"]:
        actions.update(check["actions"])
    return sorted(actions)


def main():
    text = TEMPLATE.read_text()
    actions = wanted(sys.argv[1])
    indent = LIST.search(text).group(1)
    rows = "".join(f"{indent}- {action}\n" for action in actions)
    fresh = LIST.sub(f"{indent}# begin actions\n{rows}{indent}# end actions\n", text)
    if "--write" in sys.argv:
        TEMPLATE.write_text(fresh)
        return 0
    failed = 0
    if fresh != text:
        print("deploy/role.yaml does not grant what the catalogue reads; run: python3 tests/lint/role.py ORGSWEEP --write")
        failed += 1
    lint = subprocess.run([pathlib.Path(sys.executable).parent / "cfn-lint", str(TEMPLATE)], capture_output=True, text=True)
    if lint.returncode:
        print(lint.stdout + lint.stderr)
        failed += 1
    print(f"{2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
