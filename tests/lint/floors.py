"""Who may include whom (the floors), what each floor may name of third parties, banned functions, and words that have no place.

Prints a line for each fault and ends with "N passed, N failed"."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder: (folders it may include, third-party headers it may name)
FLOORS = {
    "proto/base": ({"proto/base"}, {"uthash.h"}),
    "proto/aws": ({"proto/base", "proto/aws"}, {"openssl/", "jansson.h", "expat.h"}),
    "proto/wire": ({"proto/base", "proto/wire"}, {"msgpack.h"}),
    "proto/record": ({"proto/base", "proto/record"}, {"msgpack.h"}),
    "proto/io": ({"proto/base", "proto/aws", "proto/io"}, {"uthash.h", "curl/", "zmq.h", "hiredis/", "openssl/", "jansson.h", "systemd/", "microhttpd.h"}),
    "checks": ({"proto/base", "proto/aws", "checks"}, {"jansson.h", "yaml.h"}),
    "worker": ({"proto/base", "proto/aws", "proto/wire", "proto/record", "proto/io", "checks", "worker"}, {"jansson.h"}),
    "coordinator": ({"proto/base", "proto/aws", "proto/wire", "proto/record", "proto/io", "checks", "coordinator"},
                    {"jansson.h"}),
}
# proto/wire and proto/record read and write MessagePack through one pair of files.
THIRD_PARTY = re.compile(r"^(uthash|openssl/|jansson|expat|msgpack|curl/|zmq|hiredis|yaml|microhttpd|systemd/|cmocka)")
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|strtok_r|atoi|atol|atoll|atof|alloca|strncpy|strncat|"
                    r"scanf|sscanf|fscanf|system|popen|setjmp|longjmp)\s*\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# C that may name AWS services: the coordinator's own calls and the credential providers.
SERVICE_NAMES = re.compile(r'"[^"]*\b(bedrock|sagemaker|agentcore|guardduty|cloudtrail)\b[^"]*"', re.I)
CHECK_IDS = re.compile(r'"(aws-[a-z]+-\d{3}|AC-\d+)"')
# Endpoints are hosts, not judgement: AWS's own exceptions to the host pattern name host prefixes; help texts show examples.
MAY_NAME_SERVICES = {"proto/aws/endpoint.c", "coordinator/options-table.c"}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def floor_of(path):
    folder = str(path.parent.relative_to(ROOT))
    while folder not in FLOORS and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder if folder in FLOORS else None


def own_folder(name):
    folder = name.rsplit("/", 1)[0]
    while folder not in FLOORS and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder


def faults_of(path):
    text = path.read_text()
    code = COMMENT.sub(" ", text)
    floor = floor_of(path)
    name = path.relative_to(ROOT)
    if UNFINISHED.search(text):
        yield f"{name}: unfinished business"
    for match in BANNED.finditer(code):
        yield f"{name}: banned function {match.group(1)}"
    if floor is None:
        return
    may_include, may_name = FLOORS[floor]
    for kind, header in INCLUDE.findall(text):
        if kind == '"':
            if not (ROOT / header).exists() and not header.startswith("builtin"):
                yield f"{name}: includes {header}, which is no file from the root"
            elif own_folder(header) not in may_include:
                yield f"{name}: floor {floor} must not include {header}"
        elif THIRD_PARTY.match(header) and not any(header.startswith(prefix) for prefix in may_name):
            yield f"{name}: floor {floor} must not name {header}"
    if str(name) not in MAY_NAME_SERVICES:
        for match in SERVICE_NAMES.finditer(code):
            if '#include' not in match.group(0):
                yield f"{name}: C names a service: {match.group(0)}"
    for match in CHECK_IDS.finditer(code):
        yield f"{name}: C names a check or chain: {match.group(0)}"


def main():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True)
    passed = failed = 0
    for line in listed.stdout.splitlines():
        path = ROOT / line
        faults = list(faults_of(path)) if path.exists() else []
        for fault in faults:
            print(fault)
        failed += bool(faults)
        passed += not faults
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
