"""Where credentials come from, through the whole program: each kind of source sweeps the same, what ends or is missing says how to go on,
and no secret of a source is told. (What each source answers, case by case: tests/contract/test-credentials.py.)"""
import contextlib
import hashlib
import http.server
import json
import os
import pty
import select
import threading
import time

from common import ORGSWEEP, Simulator, Suite, assert_same, forms_of, sweep

suite = Suite()
TOKEN = "marker-of-a-source-token-1234567890"
SCOPE = ("--seed", 71, "--accounts", 3, "--regions", 1)
CORP = hashlib.sha1(b"corp").hexdigest()
SSO = ("[profile p]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Audit\n"
       "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n")


class Sources:
    """Container endpoint, instance metadata and Identity Center portal, giving the simulator's keys; each path wants its token."""

    def __init__(self, ready, hop_limit=False):
        sources, self.asked = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body):
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PUT(self):
                sources.asked.append("PUT " + self.path)
                if hop_limit:  # the answer is lost on its way into the container
                    time.sleep(1.5)
                    self.close_connection = True
                    return
                self.answer(200 if self.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600" else 400, TOKEN)

            def do_GET(self):
                path = self.path.split("?")[0]
                sources.asked.append("GET " + path)
                keys = {"AccessKeyId": ready["access_key_id"], "SecretAccessKey": ready["secret_access_key"], "Token": "",
                        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
                wanted = {"/container": "Authorization", "/federation/credentials": "x-amz-sso_bearer_token"}.get(path, "x-aws-ec2-metadata-token")
                if self.headers[wanted] != TOKEN and not (hop_limit and self.headers[wanted] is None):
                    self.answer(401, {})
                elif path == "/federation/credentials":
                    self.answer(200, {"roleCredentials": {"accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"],
                                                          "sessionToken": "", "expiration": int(time.time() + 3600) * 1000}})
                elif path.endswith("/security-credentials/"):
                    self.answer(200, "audit-role\n")
                else:
                    self.answer(200, keys)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def write(place, name, text, mode=0o600):
    path = place.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def keys_of(ready):
    return f"aws_access_key_id = {ready['access_key_id']}\naws_secret_access_key = {ready['secret_access_key']}\n"


def without_keys(simulator, **extra):
    return simulator.environment(**{"ORGSWEEP_LOG_LEVEL": "debug", **extra}) | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def sso_cache(place, seconds):
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    write(place, f".aws/sso/cache/{CORP}.json", json.dumps({"accessToken": TOKEN, "expiresAt": ends}))


def check_untold(text, *secrets):
    for secret in secrets:
        for form in forms_of(secret):
            assert form not in text.encode(), secret


@suite.test
def each_source_sweeps_the_same(place):
    simulator = Simulator(place, *SCOPE)
    ready = simulator.ready
    expected = sweep(place, "--all", environment=simulator.environment()).report
    sources = Sources(ready)
    process = write(place, "helper", "#!/bin/sh\necho \"$ORGSWEEP_STORE_PASSWORD\" >&2\ncat " + str(write(place, "keys.json", json.dumps(
        {"Version": 1, "AccessKeyId": ready["access_key_id"], "SecretAccessKey": ready["secret_access_key"]}))), 0o700)
    write(place, "token", TOKEN)
    sso_cache(place, 3600)
    rows = [  # what is asked, config file, credentials file, arguments, environment
        ("credentials-file", "", "[default]\n" + keys_of(ready), (), {}),
        ("config-file", "[profile p]\n" + keys_of(ready), "", (), {"AWS_PROFILE": "p"}),
        ("process", f"[profile p]\ncredential_process = {process}\n", "", ("--profile", "p"), {}),
        ("container", "", "", (), {"AWS_CONTAINER_CREDENTIALS_FULL_URI": sources.url + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}),
        ("container", "", "", (), {"AWS_CONTAINER_CREDENTIALS_FULL_URI": sources.url + "/container",
                                   "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": place.path / "token"}),
        ("instance-metadata", "", "", (), {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": sources.url}),
        ("sso", SSO, "", ("--profile", "p"), {"AWS_ENDPOINT_URL_SSO": sources.url}),
        # a profile by option takes the environment's keys out of the chain; AWS_PROFILE does not
        ("credentials-file", "", "[p]\n" + keys_of(ready), ("--profile", "p"),
         {"AWS_ACCESS_KEY_ID": "AKIAWRONGWRONGWRONG0", "AWS_SECRET_ACCESS_KEY": "wrong"}),
        ("environment", "", "[p]\naws_access_key_id = AKIAWRONGWRONGWRONG0\naws_secret_access_key = wrong\n", (),
         {"AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": ready["access_key_id"], "AWS_SECRET_ACCESS_KEY": ready["secret_access_key"]}),
    ]
    for source, config, credentials, arguments, environment in rows:
        write(place, ".aws/config", config)
        write(place, ".aws/credentials", credentials)
        done = sweep(place, "--all", *arguments, check=False, environment=without_keys(
            simulator, ORGSWEEP_STORE_PASSWORD="marker-of-the-store-1234") | {k: str(v) for k, v in environment.items()})
        assert done.report, (source, done.err)
        assert_same(done.report, expected)
        assert f"({source})" in done.err or f'source={source}' in done.err or f'"{source}"' in done.err, (source, done.err[:2000])
        check_untold(done.err + done.text, TOKEN, ready["secret_access_key"], "marker-of-the-store-1234")
    assert [a for a in sources.asked if "latest" in a] == [
        "PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/", "GET /latest/meta-data/iam/security-credentials/audit-role"]


@suite.test
def a_hop_limit_costs_a_second_and_no_more(place):
    """In a container the answer to the PUT does not arrive: version 1 is asked, unless that is forbidden."""
    simulator = Simulator(place, *SCOPE)
    sources = Sources(simulator.ready, hop_limit=True)
    environment = without_keys(simulator, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=sources.url)
    assert sweep(place, environment=environment).report
    done = sweep(place, environment=environment | {"AWS_EC2_METADATA_V1_DISABLED": "true"}, check=False)
    assert done.code == 2 and "HttpPutResponseHopLimit" in done.last_line, done.err


@suite.test
def an_sso_session_that_ended_names_the_command(place):
    simulator = Simulator(place, *SCOPE)
    write(place, ".aws/config", SSO)
    rows = [(lambda: None, "there is no SSO session"), (lambda: sso_cache(place, -60), "has expired"),
            (lambda: write(place, f".aws/sso/cache/{CORP}.json", "{"), "of no use")]
    for prepare, words in rows:
        prepare()
        done = sweep(place, environment=without_keys(simulator, AWS_PROFILE="p"), check=False)
        assert done.code == 2 and "aws sso login --sso-session corp" in done.last_line and words in done.last_line, done.err
        check_untold(done.err, TOKEN)


def in_a_terminal(place, arguments, environment, says, answer, timeout=60):
    """Runs it on a terminal of its own and types the answer when it asks; exit code, and all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.path)
        os.execve(ORGSWEEP, [str(ORGSWEEP), *map(str, arguments)], environment)
    written, end, answered = b"", time.monotonic() + timeout, False
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                written += os.read(terminal, 4096)
            except OSError:
                break
        if not answered and says in written:
            os.write(terminal, answer)
            answered = True
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), written.decode(errors="replace")


@suite.test
def an_mfa_code_is_asked_on_the_terminal(place):
    simulator = Simulator(place, *SCOPE)
    organization = sweep(place, "--all", environment=simulator.environment()).report
    member = next(a["id"] for a in organization["accounts"] if a["swept"] and a["id"] not in organization["sweep"]["caller_arn"])
    write(place, ".aws/config", f"[profile p]\nrole_arn = arn:aws:iam::{member}:role/OrgsweepAudit\nsource_profile = base\n"
                                "mfa_serial = arn:aws:iam::111122223333:mfa/me\n")
    write(place, ".aws/credentials", "[base]\n" + keys_of(simulator.ready))
    environment = without_keys(simulator)
    target = place.path / "of-a-member.json"
    code, written = in_a_terminal(place, ["sweep", "--no-org", "--profile", "p", "--output", target], environment,
                                  b"MFA device arn:aws:iam::111122223333:mfa/me", b"918273\n")
    report = json.loads(target.read_text())
    assert code in (0, 1, 3, 4) and [a["id"] for a in report["accounts"]] == [member], (code, written)
    assert "918273" not in written + target.read_text()
    done = sweep(place, "--no-org", "--profile", "p", environment=environment, check=False)  # nobody to ask
    assert done.code == 2 and "MFA device" in done.last_line and "terminal" in done.last_line, done.err


@suite.test
def an_endpoint_without_tls_is_warned_of(place):
    simulator = Simulator(place, *SCOPE)
    for url, warned in (("http://127.0.0.1:9", False), ("http://LOCALHOST:9/x", False), ("http://[::1]:9", False), ("http://localhost.invalid", True),
                        ("HTTP://127.x.invalid:80", True), ("https://x.invalid", False)):
        done = sweep(place, "--plan", environment=simulator.environment(AWS_ENDPOINT_URL_BEDROCK=url), check=False)
        assert ("without TLS" in done.err) == warned, (url, done.err)


@suite.test
def a_proxy_s_password_is_not_told(place):
    simulator = Simulator(place, *SCOPE)
    for proxy in ("http://user:marker-of-a-proxy-1@[bad", "ftp://user:marker-of-a-proxy-1@host", "http://user:marker-of-a-proxy-1@host:99999"):
        done = sweep(place, environment=simulator.environment(HTTPS_PROXY=proxy, ORGSWEEP_LOG_LEVEL="debug"), check=False)
        assert done.code == 2 and "HTTPS_PROXY" in done.last_line, done.err
        check_untold(done.err, "marker-of-a-proxy-1")
    done = sweep(place, environment=simulator.environment(AWS_ENDPOINT_URL_STS="https://user:marker-of-a-proxy-1@host"), check=False)
    assert done.code == 2 and "user name" in done.last_line, done.err
    check_untold(done.err, "marker-of-a-proxy-1")


suite.main()
