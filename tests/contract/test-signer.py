#!/usr/bin/env python3
"""Holds our SigV4 signer against botocore's on random requests: test-signer.py BUILD-FOLDER [SEED [COUNT]]."""
import datetime
import json
import os
import random
import subprocess
import sys
import time
from unittest import mock

try:
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    print("botocore is not installed")
    sys.exit(77)

WORDS = ["a", "guardrails", "arn%3Aaws%3Abedrock", "x-y_z.~", "..", ".", "", "%E2%82%AC", "a%2Fb", "UPPER", "*", "a+b", "%20", "agents:v1"]
NAMES = ["a", "b", "maxResults", "nextToken", "policy", "A", "a-b", "X-Y", "%41", "z%20z", "location"]
VALUES = ["", "1", "a%2Fb", "%3D%3D", "Z", "a", "b~", "token%2Bmore"]
BLANKS = ["x", "a  b", "  lead", "trail  ", "\ttab\tinside", "a,b", "q\"uoted  text\"", "v" * 100]


def make(rng, index):
    path = "/" + "/".join(rng.choice(WORDS) for _ in range(rng.randrange(5)))
    pairs = []
    for _ in range(rng.randrange(6)):
        name = rng.choice(NAMES)
        pairs.append(name if rng.random() < 0.2 else name + "=" + rng.choice(VALUES))
    headers = [["Host", rng.choice(["bedrock.eu-west-1.amazonaws.com", "localhost:8443", "s3.amazonaws.com"])]]
    for number in range(rng.randrange(6)):
        headers.append([rng.choice(["X-Amz-Target", "Content-Type", "X-Other", "x-lower", "X-Amz-Meta-A", "User-Agent"]) +
                        ("" if rng.random() < 0.7 else "-%d" % number), rng.choice(BLANKS)])
    names = set()
    headers = [h for h in headers if not (h[0].lower() in names or names.add(h[0].lower()))]
    if rng.random() < 0.2:
        headers.append(["X-Twice", "one"])
        headers.append(["X-Twice", " two  2 "])
    return {"method": rng.choice(["GET", "POST", "PUT"]), "path": path, "query": "&".join(pairs), "headers": headers,
            "body": rng.choice(["", "{}", "{\"name\":\"\u20ac\"}", "x" * rng.randrange(3000)]), "s3": rng.random() < 0.25,
            "access_key": "AKIA%016d" % rng.randrange(10**16), "secret_key": "%040x" % rng.getrandbits(160),
            "token": rng.choice(["", "t" * rng.randrange(1, 1500) + "/+="]),
            "region": rng.choice(["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]),
            "service": rng.choice(["bedrock", "s3", "sagemaker", "sts", "bedrock-agentcore"]),
            "time_ms": rng.randrange(1_000_000_000, 4_000_000_000) * 1000 + rng.randrange(1000)}


def expected(row):
    url = "https://" + row["headers"][0][1] + row["path"] + ("?" + row["query"] if row["query"] else "")
    request = AWSRequest(method=row["method"], url=url, data=row["body"].encode())
    for name, value in row["headers"]:
        request.headers[name] = value
    kind = botocore.auth.S3SigV4Auth if row["s3"] else botocore.auth.SigV4Auth
    signer = kind(Credentials(row["access_key"], row["secret_key"], row["token"] or None), row["service"], row["region"])
    moment = datetime.datetime.fromtimestamp(row["time_ms"] // 1000, datetime.timezone.utc).replace(tzinfo=None)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: moment):
        signer.add_auth(request.prepare() and request)
    return request.headers["Authorization"]


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 3000
    rng = random.Random(seed)
    rows = [make(rng, i) for i in range(count)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    answer = subprocess.run([os.path.join(sys.argv[1], "tests/contract/signer-probe")], input=text, capture_output=True, text=True, check=False)
    lines = answer.stdout.splitlines()
    wrong = 0
    if len(lines) != len(rows):
        print("the probe gave %d lines for %d requests (exit %d): %s" % (len(lines), len(rows), answer.returncode, answer.stderr))
        return 1
    for row, line in zip(rows, lines):
        want = expected(row)
        if line != want:
            wrong += 1
            if wrong <= 3:
                print("request:  %s\nours:     %s\nbotocore: %s" % (json.dumps(row), line, want))
    print("seed %d: %d requests, %d differ" % (seed, len(rows), wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
