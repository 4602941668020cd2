#!/usr/bin/env python3
"""Holds our credential chain and configured endpoints against botocore's: test-credentials.py BUILD-FOLDER.

Each case is a folder of config files and an environment, made twice: botocore resolves one, our probe the other. STS, Identity
Center, container and instance metadata are stand-ins on loopback; the keys that they give are a digest of what they were asked,
so that equal keys mean equal requests. Known differences are cases of their own, at the end, with the reason.
"""
import datetime
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.parse

try:
    import botocore.credentials
    import botocore.exceptions as raised
    import botocore.session
    import botocore.tokens
    from botocore.configprovider import ConfiguredEndpointProvider
except ImportError:
    print("botocore is not installed")
    sys.exit(77)

MARKER = "PLANTED"  # stands in every secret of the cases
SECRET = MARKER + "secret0123456789abcdef0123456789ab"
TOKEN = MARKER + "token0123456789"


def when(**delta):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(prefix, value):
    return prefix + hashlib.sha1(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20].upper()


class Stub(http.server.BaseHTTPRequestHandler):
    """Everything that a provider may ask. `mode` is the case's: words that switch faults on."""
    protocol_version = "HTTP/1.1"
    mode = ""

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        if "imds-v1" in Stub.mode or self.path != "/latest/api/token":
            return self.answer(404, "no")
        if not self.headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            return self.answer(400, "no")
        return self.answer(200, "imds-" + TOKEN, "text/plain")

    def metadata(self):
        sent = self.headers.get("x-aws-ec2-metadata-token")
        if ("imds-v1" in Stub.mode) != (sent is None):
            return self.answer(401, "no")
        name = self.path.rsplit("/", 1)[1]
        if "imds-no-role" in Stub.mode:
            return self.answer(404, "")
        if not name:
            return self.answer(200, "node-role", "text/plain")
        if "imds-error" in Stub.mode:
            return self.answer(200, json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"}))
        return self.keys(digest("AKIMDS", name))

    def keys(self, key, **more):
        self.answer(200, json.dumps({"AccessKeyId": key, "SecretAccessKey": SECRET, "Token": TOKEN,
                                     "Expiration": when(hours=6), **more}))

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path)
        if path.path.startswith("/latest/meta-data/iam/security-credentials/"):
            return self.metadata()
        if path.path == "/container":
            if "container-no" in Stub.mode:
                return self.answer(403, "{}")
            return self.keys(digest("AKCONT", self.headers.get("Authorization")), AccountId="111122223333")
        if path.path == "/federation/credentials":
            if "sso-401" in Stub.mode:
                return self.answer(401, json.dumps({"__type": "UnauthorizedException", "message": "Session token not found or invalid"}))
            if "sso-403" in Stub.mode:
                return self.answer(403, json.dumps({"message": "No access"}))
            asked = [sorted(urllib.parse.parse_qsl(path.query)), self.headers.get("x-amz-sso_bearer_token")]
            until = int((datetime.datetime.now().timestamp() + 7200) * 1000)
            return self.answer(200, json.dumps({"roleCredentials": {
                "accessKeyId": digest("AKSSO", asked), "secretAccessKey": SECRET, "sessionToken": TOKEN, "expiration": until}}))
        return self.answer(404, "{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/token":
            return self.token(json.loads(body))
        return self.sts(dict(urllib.parse.parse_qsl(body)))

    def token(self, asked):
        if "oidc-no" in Stub.mode:
            return self.answer(400, json.dumps({"error": "invalid_grant", "error_description": "no"}))
        self.answer(200, json.dumps({"accessToken": digest(TOKEN, asked), "expiresIn": 28800, "refreshToken": TOKEN + "next",
                                     "tokenType": "Bearer"}))

    def sts(self, asked):
        authorization = self.headers.get("Authorization", "")
        scope = authorization.split("Credential=")[-1].split(",")[0].split("/") if authorization else []
        if asked.get("RoleSessionName", "").startswith(("botocore-session-", "orgsweep-")):
            asked["RoleSessionName"] = "(its own)"
        if "sts-no" in Stub.mode:
            return self.answer(403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized"
                                    "</Message></Error><RequestId>r</RequestId></ErrorResponse>", "text/xml")
        signed = [scope[0], scope[2:], self.headers.get("X-Amz-Security-Token")] if scope else None
        name = asked["Action"]
        key = digest("AK" + ("WEB" if "Web" in name else "ROLE"), [asked, signed])
        return self.answer(200, f"""<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result>
<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::444455556666:assumed-role/r/s</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>
<Expiration>{when(hours=1)}</Expiration></Credentials></{name}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</{name}Response>""", "text/xml")


# --- cases ---

def keys(name, **more):
    return "".join(f"{k} = {v}\n" for k, v in
                   {"aws_access_key_id": name, "aws_secret_access_key": SECRET, **more}.items())


ENV = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": SECRET}
ROLE = "role_arn = arn:aws:iam::444455556666:role/r\n"
SSO = "sso_account_id = 777788889999\nsso_role_name = Audit/Role 1\n"
SESSION = "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n"
LEGACY = SSO + "sso_region = eu-west-1\nsso_start_url = https://corp.example/start\n"
CORP = hashlib.sha1(b"corp").hexdigest()
START = hashlib.sha1(b"https://corp.example/start").hexdigest()
LOGIN = hashlib.sha256(b"arn:aws:iam::1:user/x").hexdigest()
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token", "AWS_ROLE_ARN": "arn:aws:iam::444455556666:role/w"}


def sso_token(expires, full=False, **more):
    token = {"accessToken": TOKEN + "sso", "expiresAt": expires, "startUrl": "https://corp.example/start", "region": "eu-west-1"}
    if full:
        token.update(refreshToken=TOKEN + "refresh", clientId="client", clientSecret=TOKEN + "client",
                     registrationExpiresAt=when(days=30))
    return json.dumps({**token, **more})


def login_token(expires):
    return json.dumps({"accessToken": {"accessKeyId": "AKLOGIN", "secretAccessKey": SECRET, "sessionToken": TOKEN,
                                       "accountId": "111122223333", "expiresAt": expires},
                       "refreshToken": TOKEN, "dpopKey": MARKER, "clientId": "c"})


def process(output, code=0):
    return {"bin/get": f"#!/bin/sh\n[ \"$1\" = 'two words' ] || exit 9\ncat <<'X'\n{output}\nX\nexit {code}\n"}


def process_json(**more):
    return json.dumps({"Version": 1, "AccessKeyId": "AKPROC", "SecretAccessKey": SECRET, **more})


PROCESS = "credential_process = {folder}/bin/get 'two words'\n"


class Case:
    def __init__(self, name, config="", credentials="", env=None, profile=None, files=None, mode="", imds=False):
        self.name, self.config, self.credentials, self.env = name, config, credentials, env or {}
        self.profile, self.files, self.mode, self.imds = profile, files or {}, mode, imds


CASES = [
    Case("environment", env=ENV),
    Case("environment with token and account", env={**ENV, "AWS_SESSION_TOKEN": TOKEN, "AWS_ACCOUNT_ID": "111122223333"}),
    Case("environment, old token name", env={**ENV, "AWS_SECURITY_TOKEN": TOKEN}),
    Case("half an environment", env={"AWS_ACCESS_KEY_ID": "AKENV"}),
    Case("secret alone is nothing", env={"AWS_SECRET_ACCESS_KEY": SECRET}),
    Case("environment that ends", env={**ENV, "AWS_SESSION_TOKEN": TOKEN, "AWS_CREDENTIAL_EXPIRATION": when(hours=1)}),
    Case("environment that has ended", env={**ENV, "AWS_SESSION_TOKEN": TOKEN, "AWS_CREDENTIAL_EXPIRATION": when(hours=-1)}),
    Case("environment beats AWS_PROFILE", credentials="[p]\n" + keys("AKP"), env={**ENV, "AWS_PROFILE": "p"}),
    Case("a profile by option beats the environment", credentials="[p]\n" + keys("AKP"), env=ENV, profile="p"),
    Case("AWS_PROFILE", credentials="[p]\n" + keys("AKP") + "[default]\n" + keys("AKD"), env={"AWS_PROFILE": "p"}),
    Case("AWS_DEFAULT_PROFILE", credentials="[p]\n" + keys("AKP"), env={"AWS_DEFAULT_PROFILE": "p"}),
    Case("AWS_PROFILE does not exist", credentials="[q]\n" + keys("AKP"), env={**ENV, "AWS_PROFILE": "p"}),
    Case("option names what does not exist", profile="p"),
    Case("default of the credentials file", credentials="[default]\n" + keys("AKD", aws_session_token=TOKEN)),
    Case("default of the config file", config="[default]\n" + keys("AKC")),
    Case("profile default", config="[profile default]\n" + keys("AKC")),
    Case("two defaults, the later counts", config="[profile default]\n" + keys("AKA") + "[default]\n" + keys("AKB")),
    Case("credentials file before config file", config="[default]\n" + keys("AKC"), credentials="[default]\n" + keys("AKD")),
    Case("account in the profile", credentials="[default]\n" + keys("AKD", aws_account_id="111122223333")),
    Case("half a profile", credentials="[default]\naws_access_key_id = AKD\n"),
    Case("half in each file", config=f"[default]\naws_secret_access_key = {SECRET}\n",
         credentials="[default]\naws_access_key_id = AKD\n"),
    Case("quoted profile", config='[profile "my own"]\n' + keys("AKC"), profile="my own"),
    Case("comments, case, colon, continuation", profile="p",
         config=f"# c\n; d\n[profile p]\nAWS_Access_Key_ID: AKC\n  # e\naws_secret_access_key={SECRET}\ns3 =\n  k = v\nregion = eu-west-1\n"),
    Case("section twice", config="[default]\nregion=x\n[default]\n" + keys("AKC")),
    Case("key twice", config="[default]\nregion=x\nregion=y\n" + keys("AKC")),
    Case("line without delimiter", credentials=f"[default]\n{SECRET}\n"),
    Case("no section", credentials=f"aws_access_key_id = {SECRET}\n"),
    Case("not UTF-8", credentials="[default]\nk = \udcff\n"),
    Case("other files", env={"AWS_CONFIG_FILE": "~/elsewhere", "AWS_SHARED_CREDENTIALS_FILE": "$HOME/none"},
         files={"elsewhere": "[default]\n" + keys("AKE")}),
    Case("nothing"),
    Case("an empty profile", config="[profile p]\nregion = eu-west-1\n", profile="p"),

    Case("source_profile", config="[profile p]\n" + ROLE + "source_profile = base\n", credentials="[base]\n" + keys("AKB"), profile="p"),
    Case("source_profile by AWS_PROFILE, region of the profile", env={"AWS_PROFILE": "p", "AWS_DEFAULT_REGION": ""},
         config="[profile p]\n" + ROLE + "source_profile = base\nregion = ap-south-1\n", credentials="[base]\n" + keys("AKB")),
    Case("all members of a role", profile="p", credentials="[base]\n" + keys("AKB", aws_session_token=TOKEN),
         config="[profile p]\n" + ROLE + "source_profile = base\nexternal_id = a+b/c=&\nrole_session_name = me@x\nduration_seconds = 900\n"),
    Case("duration that is no number", profile="p", credentials="[base]\n" + keys("AKB"),
         config="[profile p]\n" + ROLE + "source_profile = base\nduration_seconds = long\n"),
    Case("MFA", profile="p", env={"PROBE_MFA_CODE": "123456"}, credentials="[base]\n" + keys("AKB"),
         config="[profile p]\n" + ROLE + "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n"),
    Case("role in the default profile", config="[default]\n" + ROLE + "source_profile = base\n", credentials="[base]\n" + keys("AKB")),
    Case("environment beats a default role", env=ENV, config="[default]\n" + ROLE + "source_profile = base\n"),
    Case("two roles", profile="a", credentials="[c]\n" + keys("AKC"),
         config="[profile a]\n" + ROLE + "source_profile = b\n[profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = c\n"),
    Case("self-reference with keys", profile="p", config="[profile p]\n" + ROLE + "source_profile = p\n" + keys("AKP")),
    Case("self-reference without keys", profile="p", config="[profile p]\n" + ROLE + "source_profile = p\n"),
    Case("a loop of two", profile="a",
         config="[profile a]\n" + ROLE + "source_profile = b\n[profile b]\n" + ROLE + "source_profile = a\n"),
    Case("keys break a loop", profile="a",
         config="[profile a]\n" + ROLE + "source_profile = b\n[profile b]\n" + ROLE + "source_profile = c\n" + keys("AKB")),
    Case("source does not exist", profile="p", config="[profile p]\n" + ROLE + "source_profile = base\n"),
    Case("source has nothing", profile="p", config="[profile p]\n" + ROLE + "source_profile = base\n[profile base]\nregion = x\n"),
    Case("no source", profile="p", config="[profile p]\n" + ROLE),
    Case("two sources", profile="p", config="[profile p]\n" + ROLE + "source_profile = p\ncredential_source = Environment\n"),
    Case("credential_source Environment", profile="p", env=ENV, config="[profile p]\n" + ROLE + "credential_source = Environment\n"),
    Case("credential_source Environment, empty", profile="p", config="[profile p]\n" + ROLE + "credential_source = Environment\n"),
    Case("credential_source EcsContainer", profile="p", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container"},
         config="[profile p]\n" + ROLE + "credential_source = EcsContainer\n"),
    Case("credential_source Ec2InstanceMetadata", profile="p", imds=True,
         config="[profile p]\n" + ROLE + "credential_source = Ec2InstanceMetadata\n"),
    Case("credential_source Ec2InstanceMetadata, disabled", profile="p",
         config="[profile p]\n" + ROLE + "credential_source = Ec2InstanceMetadata\n"),
    Case("credential_source unknown", profile="p", config="[profile p]\n" + ROLE + "credential_source = Elsewhere\n"),
    Case("the role is refused", profile="p", mode="sts-no", credentials="[base]\n" + keys("AKB"),
         config="[profile p]\n" + ROLE + "source_profile = base\n"),

    Case("web identity by environment", env={**WEB, "AWS_ROLE_SESSION_NAME": "me"}, files={"token": TOKEN + "web"}),
    Case("web identity by profile", profile="p", files={"token": TOKEN + "web"},
         config="[profile p]\nrole_arn = arn:aws:iam::444455556666:role/w\nweb_identity_token_file = {folder}/token\nrole_session_name = session\n"),
    Case("web identity before SSO and keys", env=WEB, files={"token": TOKEN + "web"}, credentials="[default]\n" + keys("AKD")),
    Case("option hides web identity of the environment", env=WEB, files={"token": TOKEN}, profile="p", credentials="[p]\n" + keys("AKP")),
    Case("web identity without role", env={"AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token"}, files={"token": TOKEN}),
    Case("web identity refused", env=WEB, files={"token": TOKEN}, mode="sts-no"),
    Case("web identity as a role's source", profile="p", files={"token": TOKEN + "web"},
         config="[profile p]\n" + ROLE + "source_profile = w\n[profile w]\nrole_arn = arn:aws:iam::1:role/w\n"
                "web_identity_token_file = {folder}/token\n"),

    Case("SSO by session", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=8))}),
    Case("SSO by start URL", profile="p", config="[profile p]\n" + LEGACY,
         files={f".aws/sso/cache/{START}.json": sso_token(when(hours=8))}),
    Case("SSO cache in the old date form", profile="p", config="[profile p]\n" + LEGACY,
         files={f".aws/sso/cache/{START}.json": sso_token(when(hours=8).replace("Z", "UTC"))}),
    Case("SSO before keys", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION, credentials="[p]\n" + keys("AKP"),
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=8))}),
    Case("SSO session expired", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=-1))}),
    Case("SSO start URL expired", profile="p", config="[profile p]\n" + LEGACY,
         files={f".aws/sso/cache/{START}.json": sso_token(when(hours=-1), full=True)}),
    Case("SSO refreshed", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=-1), full=True)}),
    Case("SSO refreshed early", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(minutes=5), full=True)}),
    Case("SSO refresh refused, token still good", profile="p", mode="oidc-no", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(minutes=5), full=True)}),
    Case("SSO refresh refused, token gone", profile="p", mode="oidc-no", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(minutes=-5), full=True)}),
    Case("SSO registration expired", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(minutes=-5), full=True, registrationExpiresAt=when(days=-1))}),
    Case("never logged in", profile="p", config="[profile p]\nsso_session = corp\n" + SSO + SESSION),
    Case("SSO cache without token", profile="p", config="[profile p]\n" + LEGACY, files={f".aws/sso/cache/{START}.json": "{}"}),
    Case("SSO portal says 401", profile="p", mode="sso-401", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=8))}),
    Case("SSO portal says 403", profile="p", mode="sso-403", config="[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=8))}),
    Case("SSO without role name", profile="p", config="[profile p]\nsso_session = corp\nsso_account_id = 1\n" + SESSION),
    Case("SSO without region", profile="p", config="[profile p]\n" + SSO + "sso_start_url = https://corp.example/start\n"),
    Case("SSO session does not exist", profile="p", config="[profile p]\nsso_session = gone\n" + SSO),
    Case("SSO session differs", profile="p", config="[profile p]\nsso_session = corp\nsso_region = us-east-1\n" + SSO + SESSION),
    Case("SSO as a role's source", profile="a", config="[profile a]\n" + ROLE + "source_profile = p\n[profile p]\nsso_session = corp\n" + SSO + SESSION,
         files={f".aws/sso/cache/{CORP}.json": sso_token(when(hours=8))}),

    Case("login", profile="p", config="[profile p]\nlogin_session = arn:aws:iam::1:user/x\n",
         files={f".aws/login/cache/{LOGIN}.json": login_token(when(hours=8))}),
    Case("login in another folder", profile="p", env={"AWS_LOGIN_CACHE_DIRECTORY": "~/logins"},
         config="[profile p]\nlogin_session = arn:aws:iam::1:user/x\n", files={f"logins/{LOGIN}.json": login_token(when(hours=8))}),
    Case("never logged in by login", profile="p", config="[profile p]\nlogin_session = arn:aws:iam::1:user/x\n"),
    Case("credentials file before login", profile="p", config="[profile p]\nlogin_session = x\n", credentials="[p]\n" + keys("AKP")),

    Case("process", profile="p", config="[profile p]\n" + PROCESS, files=process(process_json())),
    Case("process with all", profile="p", config="[profile p]\n" + PROCESS,
         files=process(process_json(SessionToken=TOKEN, Expiration=when(hours=1), AccountId="111122223333"))),
    Case("process, account of the profile", profile="p", config="[profile p]\naws_account_id = 111122223333\n" + PROCESS, files=process(process_json())),
    Case("process, version 2", profile="p", config="[profile p]\n" + PROCESS, files=process(process_json(Version=2))),
    Case("process without secret", profile="p", config="[profile p]\n" + PROCESS, files=process('{"Version":1,"AccessKeyId":"A"}')),
    Case("process fails", profile="p", config="[profile p]\n" + PROCESS, files=process(process_json(), 3)),
    Case("process before keys of the config file", profile="p", config="[profile p]\n" + PROCESS + keys("AKC"), files=process(process_json())),
    Case("credentials file before process", profile="p", config="[profile p]\n" + PROCESS, credentials="[p]\n" + keys("AKP"), files=process(process_json())),
    Case("process as a role's source", profile="a", config="[profile a]\n" + ROLE + "source_profile = p\n[profile p]\n" + PROCESS, files=process(process_json())),

    Case("container", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container"}),
    Case("container with token", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}),
    Case("container with token file", files={"token": TOKEN + "file"},
         env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
              "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{folder}/token"}),
    Case("container, line end in token",
         env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN + "\nx: y"}),
    Case("container, host not allowed", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/container"}),
    Case("container refuses", mode="container-no", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container"}),
    Case("keys before container", config="[default]\n" + keys("AKC"), env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container"}),

    Case("instance, version 2", imds=True),
    Case("instance, version 1", imds=True, mode="imds-v1"),
    Case("instance, version 1 forbidden", imds=True, mode="imds-v1", env={"AWS_EC2_METADATA_V1_DISABLED": "true"}),
    Case("instance without role", imds=True, mode="imds-no-role"),
    Case("instance, error as JSON", imds=True, mode="imds-error"),
    Case("instance switched off", imds=True, env={"AWS_EC2_METADATA_DISABLED": "TRUE"}),
    Case("container before instance", imds=True, env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{stub}/container"}),
    Case("endpoint of the instance in the profile", profile="p", config="[profile p]\nec2_metadata_service_endpoint = {stub}/\n",
         env={"AWS_EC2_METADATA_DISABLED": "false"}),
]

SERVICES = "[services local]\nbedrock =\n  endpoint_url = http://section/bedrock\nconfig_service =\n  endpoint_url = http://section:81\nbedrock_agent =\n  other = x\n"
ENDPOINT_CASES = [
    Case("no endpoint", env=ENV),
    Case("global variable", env={**ENV, "AWS_ENDPOINT_URL": "http://global:4566"}),
    Case("service variable", env={**ENV, "AWS_ENDPOINT_URL_BEDROCK_AGENT": "http://agent/path"}),
    Case("both variables", env={**ENV, "AWS_ENDPOINT_URL": "https://global", "AWS_ENDPOINT_URL_BEDROCK": "http://b"}),
    Case("profile", env={**ENV, "AWS_PROFILE": "p"}, config="[profile p]\nendpoint_url = http://own\n"),
    Case("section", env={**ENV, "AWS_PROFILE": "p"}, config="[profile p]\nservices = local\n" + SERVICES),
    Case("section and profile", env={**ENV, "AWS_PROFILE": "p"}, config="[profile p]\nservices = local\nendpoint_url = http://own\n" + SERVICES),
    Case("service variable over section", env={**ENV, "AWS_PROFILE": "p", "AWS_ENDPOINT_URL_BEDROCK": "http://b"},
         config="[profile p]\nservices = local\nendpoint_url = http://own\n" + SERVICES),
    Case("global variable over section", env={**ENV, "AWS_PROFILE": "p", "AWS_ENDPOINT_URL": "http://global"},
         config="[profile p]\nservices = local\nendpoint_url = http://own\n" + SERVICES),
    Case("everything", env={**ENV, "AWS_PROFILE": "p", "AWS_ENDPOINT_URL": "http://global", "AWS_ENDPOINT_URL_IAM": "http://iam",
                            "AWS_ENDPOINT_URL_CONFIG_SERVICE": "http://config"},
         config="[profile p]\nservices = local\nendpoint_url = http://own\n" + SERVICES),
    Case("ignored by variable", env={**ENV, "AWS_ENDPOINT_URL": "http://global", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}),
    Case("ignored by profile", env={**ENV, "AWS_PROFILE": "p", "AWS_ENDPOINT_URL": "http://global"},
         config="[profile p]\nignore_configured_endpoint_urls = true\nendpoint_url = http://own\n"),
    Case("empty variable", env={**ENV, "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_IAM": "http://iam"}),
    Case("section of the default profile", env=ENV, config="[default]\nservices = local\n" + SERVICES),
]
PROBED = ["bedrock", "bedrock-agent", "sagemaker", "config", "iam", "sts"]

# --- both sides ---

KINDS = {"env": "environment", "assume-role": "assume-role", "assume-role-with-web-identity": "web-identity", "sso": "sso",
         "shared-credentials-file": "credentials-file", "login": "login", "custom-process": "process", "config-file": "config-file",
         "container-role": "container", "iam-role": "instance-metadata"}
FAULTS = [  # the first class that fits
    (raised.ProfileNotFound, "profile-not-found"),
    (raised.InfiniteLoopConfigError, "profile-loop"),
    (raised.PartialCredentialsError, "partial-credentials"),
    (raised.ConfigParseError, "bad-file"),
    (raised.UnauthorizedSSOTokenError, "login-needed"),
    (raised.SSOTokenLoadError, "login-needed"),
    (raised.TokenRetrievalError, "login-needed"),
    (raised.LoginTokenLoadError, "login-needed"),
    (raised.InvalidConfigError, "bad-configuration"),
    (raised.CredentialRetrievalError, "retrieval-failed"),
    (raised.MetadataRetrievalError, "retrieval-failed"),
    (raised.ClientError, "refused"),
    (ValueError, "bad-configuration"),
    (RuntimeError, "expired"),
]


def make_folder(root, case, stub):
    def fill(text):
        return text.replace("{folder}", str(root)).replace("{stub}", stub)

    for name, text in {".aws/config": case.config, ".aws/credentials": case.credentials, **case.files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fill(text).encode(errors="surrogateescape"))
        path.chmod(0o700 if name.startswith("bin/") else 0o600)
    environment = {"HOME": str(root), "PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-central-1"}
    if not case.imds:
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
    environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = stub
    for service in ("STS", "SSO", "SSO_OIDC"):
        environment["AWS_ENDPOINT_URL_" + service] = stub
    for name, value in case.env.items():
        environment[name] = fill(value)
    return {name: value for name, value in environment.items() if not (name == "AWS_DEFAULT_REGION" and not value)}


def use(environment):
    os.environ.clear()
    os.environ.update(environment)
    cache = os.path.expanduser("~/.aws/sso/cache")
    botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = cache
    botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = cache
    botocore.credentials.EC = botocore.credentials.EC or object()  # cached login keys need no cryptography
    botocore.credentials.getpass.getpass = lambda _: environment.get("PROBE_MFA_CODE")
    botocore.credentials.ContainerMetadataFetcher.SLEEP_TIME = 0
    for function in (botocore.credentials.AssumeRoleProvider.__init__,):
        function.__defaults__ = tuple(botocore.credentials.getpass.getpass if callable(d) else d for d in function.__defaults__)


def ask_botocore(case, environment):
    use(environment)
    session = botocore.session.Session(profile=case.profile)
    try:
        found = botocore.credentials.create_credential_resolver(session, region_name=session.get_config_variable("region")) \
            .load_credentials()
        if found is None:
            return {"error": "no-credentials"}
        frozen = found.get_frozen_credentials()
    except Exception as error:  # noqa: BLE001: the class is the answer
        for kind, name in FAULTS:
            if isinstance(error, kind):
                return {"error": name}
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": "", "key": frozen.access_key, "token": bool(frozen.token), "account": frozen.account_id or "",
            "kind": KINDS.get(found.method, found.method)}


def run_probe(probe, case, environment, faults):
    command = [probe] + (["--profile", case.profile] if case.profile else [])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    if MARKER in done.stdout + done.stderr:
        faults.append(f"{case.name}: a planted secret is printed: {done.stdout}{done.stderr}")
    if done.returncode != 0:
        faults.append(f"{case.name}: the probe ended with {done.returncode}: {done.stderr}")
        return {}
    return json.loads(done.stdout)


def of_probe(said):
    if said.get("error"):
        return {"error": said["error"]}
    source = said.get("source", "")
    return {"error": "", "key": said.get("access_key_id"), "token": said.get("token"), "account": said.get("account"),
            "kind": source.split("(")[-1].rstrip(")")}


def check_chain(probe, case, folder, stub, faults):
    Stub.mode = case.mode
    ours = run_probe(probe, case, make_folder(folder / "ours", case, stub), faults)
    theirs = ask_botocore(case, make_folder(folder / "theirs", case, stub))
    if of_probe(ours) != theirs:
        faults.append(f"{case.name}:\n  ours     {of_probe(ours)}\n  botocore {theirs}\n  {ours.get('message')}")
    if ours.get("error") and not ours.get("message"):
        faults.append(f"{case.name}: an error without words")


def endpoints_of_botocore(case, environment):
    use(environment)
    session = botocore.session.Session(profile=case.profile)
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return {}
    found = {}
    for service in PROBED:
        url = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), service).provide()
        if url:
            found[service] = url
    return found


def check_endpoints(probe, case, folder, stub, faults):
    environment = {name: value for name, value in make_folder(folder, case, stub).items()
                   if not name.startswith("AWS_ENDPOINT_URL") or name in case.env}
    ours = run_probe(probe, case, environment, faults).get("endpoints")
    theirs = endpoints_of_botocore(case, environment)
    if ours != theirs:
        faults.append(f"endpoints, {case.name}:\n  ours     {ours}\n  botocore {theirs}")


def check_difference(faults, name, said, expected, why):
    if any(said.get(key) != value for key, value in expected.items()):
        faults.append(f"{name}: got {said}, expected {expected} ({why})")


def check_differences(probe, folder, stub, faults):
    """Where we differ on purpose."""
    cases = [
        (Case("AWS_PROFILE and AWS_DEFAULT_PROFILE", credentials="[p]\n" + keys("AKP") + "[q]\n" + keys("AKQ"),
              env={"AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "q"}), {"access_key_id": "AKP"}, "as all SDKs but botocore"),
        (Case("AWS_REGION", env={**ENV, "AWS_REGION": "eu-west-3"}), {"region": "eu-west-3"}, "botocore does not know it"),
        (Case("login expired", profile="p", config="[profile p]\nlogin_session = arn:aws:iam::1:user/x\n",
              files={f".aws/login/cache/{LOGIN}.json": login_token(when(hours=-1))}), {"error": "login-needed"},
         "botocore renews with the login's private key; that is the AWS CLI's here"),
        (Case("MFA without terminal", profile="p", credentials="[base]\n" + keys("AKB"),
              config="[profile p]\n" + ROLE + "source_profile = base\nmfa_serial = m\n"), {"error": "code-needed"},
         "botocore waits for a line on standard input"),
        (Case("metadata past a proxy", imds=True, env={"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}),
         {"error": ""}, "botocore sends metadata requests through HTTP_PROXY"),
        (Case("SSO cache is nonsense", profile="p", config="[profile p]\n" + LEGACY, files={f".aws/sso/cache/{START}.json": "{" + TOKEN}),
         {"error": "login-needed"}, "a login writes it anew"),
        (Case("process prints no JSON", profile="p", config="[profile p]\n" + PROCESS, files=process(SECRET)),
         {"error": "retrieval-failed"}, "botocore lets the parser's error through"),
        (Case("web identity file away", env=WEB), {"error": "retrieval-failed"}, "botocore lets the OS error through"),
        (Case("instance, bad mode", imds=True, env={"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv5"}), {"error": "bad-configuration"},
         "the class is another"),
    ]
    for number, (case, expected, why) in enumerate(cases):
        Stub.mode = case.mode
        said = run_probe(probe, case, make_folder(folder / f"difference-{number}", case, stub), faults)
        check_difference(faults, case.name, said, expected, why)
    return len(cases)


def main():
    probe = os.path.join(os.path.abspath(sys.argv[1]), "tests/contract/credentials-probe")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stub = f"http://127.0.0.1:{server.server_address[1]}"
    faults = []
    own = dict(os.environ)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for number, case in enumerate(CASES):
            check_chain(probe, case, folder / f"case-{number}", stub, faults)
        for number, case in enumerate(ENDPOINT_CASES):
            check_endpoints(probe, case, folder / f"endpoint-{number}", stub, faults)
        differences = check_differences(probe, folder, stub, faults)
    os.environ.update(own)
    server.shutdown()
    for fault in faults:
        print(fault)
    print(f"{len(CASES)} chains, {len(ENDPOINT_CASES)} endpoint sets, {differences} known differences; {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
