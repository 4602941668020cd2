#!/usr/bin/env python3
"""Unmodified boto3 sweeps the simulator; every answer is held against botocore's output shapes.

usage: test-boto3.py SIMULATOR            ends with "N passed, N failed"

The shapes are walked over the bytes that were received, not over what botocore made of them: botocore drops
members it does not know, and those are what a simulator must not invent.
"""

import concurrent.futures
import datetime
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import ssl
import xml.etree.ElementTree as ElementTree

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.parsers
import botocore.session

CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=True)
results = {"passed": 0, "failed": 0}


def report(name, problem=None):
    if problem is None:
        results["passed"] += 1
    else:
        results["failed"] += 1
        print(f"FAIL {name}: {problem}")


def expect(name, condition, detail=""):
    report(name, None if condition else detail or "not so")


class Simulator:
    """The program under test, with its own folder; ended at the end of the block."""

    def __init__(self, program, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="simulator-test-")
        ready = os.path.join(self.folder.name, "ready.json")
        arguments = [program, "--state", self.folder.name, "--ready-file", ready, "--die-with-parent"]
        self.log = os.path.join(self.folder.name, "log")
        self.process = subprocess.Popen([*arguments, "--log", self.log, *options])
        for _ in range(200):
            if os.path.exists(ready) or self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(ready, encoding="utf-8") as file:
            self.ready = json.load(file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.code = self.process.wait(timeout=20)
        report("the simulator ends cleanly", None if self.code == 0 else f"exit {self.code}")
        self.folder.cleanup()

    def user(self, name):
        return next(user for user in self.ready["users"] if user["name"] == name)

    def client(self, service, region="us-east-1", credentials=None, hook=None):
        user = self.ready if credentials is None else credentials
        client = boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self.ready["endpoint"],
            verify=self.ready["ca"],
            config=CONFIG,
            aws_access_key_id=user.get("access_key_id") or user.get("AccessKeyId"),
            aws_secret_access_key=user.get("secret_access_key") or user.get("SecretAccessKey"),
            aws_session_token=user.get("SessionToken"),
        )
        if hook:
            client.meta.events.register("before-parse", hook)
        return client

    def assume(self, account, role="OrgsweepAudit", **more):
        arn = f"arn:aws:iam::{account}:role/{role}"
        return self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test-boto3", **more)["Credentials"]

    def control(self, method, path, document=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.ready["endpoint"] + path, data=body, method=method)
        context = ssl.create_default_context(cafile=self.ready["ca"])
        with urllib.request.urlopen(request, context=context) as answer:
            return json.load(answer)


# --- shapes over bytes -----------------------------------------------------------------------------------------


# Where AWS itself answers otherwise than its model says.
MODEL_IS_WRONG = {("State", "available")}


def check_scalar(shape, value, where):
    kind = shape.type_name
    if kind in ("string", "character"):
        if not isinstance(value, str):
            return [f"{where}: {value!r} is no string"]
        if getattr(shape, "enum", None) and value not in shape.enum and (shape.name, value) not in MODEL_IS_WRONG:
            return [f"{where}: {value!r} is none of {shape.enum}"]
        return []
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"{where}: {value!r} is no boolean"]
    if kind in ("integer", "long"):
        good = isinstance(value, int) and not isinstance(value, bool)
        return [] if good else [f"{where}: {value!r} is no integer"]
    if kind in ("float", "double"):
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        return [] if good else [f"{where}: {value!r} is no number"]
    return [f"{where}: unexpected shape {kind}"]


def check_timestamp(shape, value, where, protocol):
    style = shape.serialization.get("timestampFormat") or ("iso8601" if protocol in ("query", "ec2", "rest-xml") else "unixTimestamp")
    if style == "iso8601":
        try:
            datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            return []
        except (ValueError, AttributeError):
            return [f"{where}: {value!r} is no ISO 8601 time"]
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [] if good else [f"{where}: {value!r} is no time in seconds"]


def check_json(shape, value, where, protocol):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        problems = [f"{where}: unknown member {name}" for name in value if name not in names]
        for wire, name in names.items():
            if wire in value:
                problems += check_json(shape.members[name], value[wire], f"{where}.{name}", protocol)
            elif name in shape.required_members:
                problems.append(f"{where}: required member {name} is missing")
        return problems
    if kind == "list":
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [p for i, item in enumerate(value) for p in check_json(shape.member, item, f"{where}[{i}]", protocol)]
    if kind == "map":
        return [p for key, item in value.items() for p in check_json(shape.value, item, f"{where}.{key}", protocol)]
    if kind == "timestamp":
        return check_timestamp(shape, value, where, protocol)
    return check_scalar(shape, value, where)


def plain(tag):
    return tag.rsplit("}", 1)[-1]


def text_value(shape, text):
    kind = shape.type_name
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("integer", "long"):
        return int(text) if text and text.lstrip("-").isdigit() else text
    if kind in ("float", "double"):
        return float(text)
    return text or ""


def wire_name(shape, name, protocol):
    return shape.serialization.get("name", name)


def check_xml_list(shape, element, where, protocol):
    inner = shape.member.serialization.get("name", "item" if protocol == "ec2" else "member")
    problems = []
    for i, child in enumerate(element):
        if plain(child.tag) != inner:
            problems.append(f"{where}: element {plain(child.tag)}, not {inner}")
        problems += check_xml(shape.member, child, f"{where}[{i}]", protocol)
    return problems


def check_xml(shape, element, where, protocol, skip=()):
    kind = shape.type_name
    if kind == "list":
        return check_xml_list(shape, element, where, protocol)
    if kind == "timestamp":
        return check_timestamp(shape, element.text, where, protocol)
    if kind != "structure":
        return check_scalar(shape, text_value(shape, element.text), where)
    names = {wire_name(member, name, protocol): name for name, member in shape.members.items()}
    problems, seen = [], set()
    for child in element:
        tag = plain(child.tag)
        if tag in skip:
            continue
        if tag not in names:
            problems.append(f"{where}: unknown element {tag}")
            continue
        name = names[tag]
        member = shape.members[name]
        seen.add(name)
        if member.type_name == "list" and member.serialization.get("flattened"):
            problems += check_xml(member.member, child, f"{where}.{name}", protocol)
        else:
            problems += check_xml(member, child, f"{where}.{name}", protocol)
    for name in shape.required_members:
        is_attribute = shape.members[name].serialization.get("xmlAttribute")
        if name not in seen and not is_attribute:
            problems.append(f"{where}: required member {name} is missing")
    return problems


def check_body(operation, body):
    """Problems of one successful answer's body."""
    protocol = operation.service_model.metadata["protocol"]
    shape = operation.output_shape
    if protocol in ("json", "rest-json"):
        document = json.loads(body)
        payload = shape.serialization.get("payload")
        return check_json(shape.members[payload] if payload else shape, document, operation.name, protocol)
    root = ElementTree.fromstring(body)
    if protocol == "query":
        wrapper = shape.serialization["resultWrapper"]
        result = [child for child in root if plain(child.tag) == wrapper]
        if len(result) != 1 or not any(plain(child.tag) == "ResponseMetadata" for child in root):
            return [f"{operation.name}: no {wrapper} or no ResponseMetadata"]
        return check_xml(shape, result[0], operation.name, protocol)
    if protocol == "ec2":
        return check_xml(shape, root, operation.name, protocol, skip=("requestId",))
    payload = shape.serialization.get("payload")
    if operation.name == "GetBucketLocation":
        return []  # botocore reads the text of the root; its model says otherwise
    return check_xml(shape.members[payload] if payload else shape, root, operation.name, protocol)


seen_operations = {}


def on_answer(operation_model, response_dict, **_):
    if response_dict["status_code"] != 200:
        return
    name = f"{operation_model.service_model.service_name}:{operation_model.name}"
    try:
        problems = check_body(operation_model, response_dict["body"])
    except Exception as error:  # a body that cannot be read at all
        problems = [f"{type(error).__name__}: {error}"]
    headers = {key.lower(): value for key, value in response_dict["headers"].items()}
    if "date" not in headers or not ("x-amzn-requestid" in headers or "x-amz-request-id" in headers):
        problems.append("no Date or no request id")
    count, known = seen_operations.get(name, (0, []))
    seen_operations[name] = (count + 1, known + problems)


# --- the sweep -------------------------------------------------------------------------------------------------


def refusal(call, **parameters):
    """Code, message and status of the error that a call must give."""
    try:
        call(**parameters)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        return answer["Error"]["Code"], answer["Error"].get("Message", ""), answer["ResponseMetadata"]["HTTPStatusCode"]
    return None, "answered", 200


def pages(client, operation, key, **parameters):
    found, count = [], 0
    for page in client.get_paginator(operation).paginate(**parameters):
        found += page.get(key, [])
        count += 1
    return found, count


def sweep_sagemaker(client):
    kinds = [
        ("list_notebook_instances", "NotebookInstances", "describe_notebook_instance", "NotebookInstanceName"),
        ("list_endpoints", "Endpoints", "describe_endpoint", "EndpointName"),
        ("list_endpoint_configs", "EndpointConfigs", "describe_endpoint_config", "EndpointConfigName"),
        ("list_models", "Models", "describe_model", "ModelName"),
        ("list_domains", "Domains", "describe_domain", "DomainId"),
        ("list_training_jobs", "TrainingJobSummaries", "describe_training_job", "TrainingJobName"),
    ]
    counts = {}
    for list_name, key, describe, member in kinds:
        found, _ = pages(client, list_name, key)
        counts[key] = len(found)
        for item in found:
            document = getattr(client, describe)(**{member: item[member]})
            expect(f"{describe} answers what was asked for", document[member] == item[member])
    for endpoint in client.list_endpoints()["Endpoints"]:
        config = client.describe_endpoint(EndpointName=endpoint["EndpointName"])["EndpointConfigName"]
        client.describe_endpoint_config(EndpointConfigName=config)
    return counts


def sweep_bedrock(client, agents):
    client.get_model_invocation_logging_configuration()
    guardrails, _ = pages(client, "list_guardrails", "guardrails")
    for guardrail in guardrails:
        by_id = client.get_guardrail(guardrailIdentifier=guardrail["id"])
        by_arn = client.get_guardrail(guardrailIdentifier=guardrail["arn"])
        expect("a guardrail by id and by ARN is the same", by_id["guardrailArn"] == by_arn["guardrailArn"])
        for version in client.list_guardrails(guardrailIdentifier=guardrail["id"])["guardrails"]:
            got = client.get_guardrail(guardrailIdentifier=guardrail["id"], guardrailVersion=version["version"])
            expect("a guardrail has the version asked for", got["version"] == version["version"])
    client.list_enforced_guardrails_configuration()
    for model in pages(client, "list_custom_models", "modelSummaries")[0]:
        client.get_custom_model(modelIdentifier=model["modelArn"])
    for summary in pages(agents, "list_agents", "agentSummaries")[0]:
        sweep_agent(agents, summary["agentId"])
    for base in pages(agents, "list_knowledge_bases", "knowledgeBaseSummaries")[0]:
        identifier = base["knowledgeBaseId"]
        agents.get_knowledge_base(knowledgeBaseId=identifier)
        for source in pages(agents, "list_data_sources", "dataSourceSummaries", knowledgeBaseId=identifier)[0]:
            agents.get_data_source(knowledgeBaseId=identifier, dataSourceId=source["dataSourceId"])


def sweep_agent(agents, identifier):
    agents.get_agent(agentId=identifier)
    for alias in pages(agents, "list_agent_aliases", "agentAliasSummaries", agentId=identifier)[0]:
        for route in alias["routingConfiguration"]:
            version = route["agentVersion"]
            agents.get_agent_version(agentId=identifier, agentVersion=version)
            groups, _ = pages(
                agents, "list_agent_action_groups", "actionGroupSummaries", agentId=identifier, agentVersion=version
            )
            expect("an agent's version has an action group", len(groups) == 1)
            for group in groups:
                agents.get_agent_action_group(
                    agentId=identifier, agentVersion=version, actionGroupId=group["actionGroupId"]
                )


def sweep_agentcore(client):
    kinds = [
        ("list_agent_runtimes", "agentRuntimes", "get_agent_runtime", "agentRuntimeId", "agentRuntimeId"),
        ("list_gateways", "items", "get_gateway", "gatewayIdentifier", "gatewayId"),
        ("list_memories", "memories", "get_memory", "memoryId", "id"),
        ("list_code_interpreters", "codeInterpreterSummaries", "get_code_interpreter", "codeInterpreterId", "codeInterpreterId"),
        ("list_browsers", "browserSummaries", "get_browser", "browserId", "browserId"),
    ]
    for list_name, key, get, parameter, member in kinds:
        for item in pages(client, list_name, key)[0]:
            getattr(client, get)(**{parameter: item[member]})


def sweep_support(make):
    kms = make("kms")
    for key in pages(kms, "list_keys", "Keys")[0]:
        kms.describe_key(KeyId=key["KeyArn"])
    expect("a key by its alias", kms.describe_key(KeyId="alias/aws/sagemaker")["KeyMetadata"]["KeyManager"] == "AWS")
    logs = make("logs")
    groups = pages(logs, "describe_log_groups", "logGroups")[0]
    for group in groups:
        found = logs.describe_log_groups(logGroupNamePrefix=group["logGroupName"])["logGroups"]
        expect("a log group by its name", len(found) == 1)
    trails = make("cloudtrail")
    for trail in trails.describe_trails()["trailList"]:
        trails.get_trail_status(Name=trail["TrailARN"])
        trails.get_event_selectors(TrailName=trail["Name"])
    guardduty = make("guardduty")
    for detector in pages(guardduty, "list_detectors", "DetectorIds")[0]:
        guardduty.get_detector(DetectorId=detector)
    functions = make("lambda")
    functions.get_function_configuration(FunctionName="agent-tools")
    ec2 = make("ec2")
    ec2.describe_regions(AllRegions=True)
    pages(ec2, "describe_vpc_endpoints", "VpcEndpoints")
    pages(ec2, "describe_security_groups", "SecurityGroups")


def sweep_global(make):
    iam = make("iam")
    roles = pages(iam, "list_roles", "Roles")[0]
    expect("a role's trust policy is decoded", isinstance(roles[0]["AssumeRolePolicyDocument"], dict))
    details = [page for page in iam.get_paginator("get_account_authorization_details").paginate()]
    got = sum(len(page["RoleDetailList"]) for page in details)
    expect("the account's details hold every role", got == len(roles), f"{got} of {len(roles)}")
    only = iam.get_account_authorization_details(Filter=["Role"])
    expect("the filter leaves roles only", not only["UserDetailList"] and not only["Policies"])
    iam.list_service_specific_credentials(AllUsers=True)
    s3 = make("s3")
    for bucket in pages(s3, "list_buckets", "Buckets")[0]:
        name = bucket["Name"]
        where = make("s3", region=bucket["BucketRegion"])
        location = s3.get_bucket_location(Bucket=name)["LocationConstraint"]
        expect("a bucket is where the list says", (location or "us-east-1") == bucket["BucketRegion"])
        where.get_bucket_versioning(Bucket=name)
        where.get_bucket_acl(Bucket=name)
        for call in (where.get_bucket_policy_status, where.get_public_access_block, where.get_bucket_encryption):
            code, _, status = refusal(call, Bucket=name)
            expect("a bucket's setting is there or said to be missing", code is None or status == 404, code)
    code, _, status = refusal(s3.get_bucket_acl, Bucket="a-bucket-that-nobody-has")
    expect("no such bucket", (code, status) == ("NoSuchBucket", 404), code)


def sweep_organization(simulator):
    client = simulator.client("organizations", hook=on_answer)
    organization = client.describe_organization()["Organization"]
    accounts, _ = pages(client, "list_accounts", "Accounts")
    below, stack = [], [root["Id"] for root in pages(client, "list_roots", "Roots")[0]]
    while stack:
        parent = stack.pop()
        below += [account["Id"] for account in pages(client, "list_accounts_for_parent", "Accounts", ParentId=parent)[0]]
        units = pages(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)[0]
        stack += [unit["Id"] for unit in units]
    expect("every account stands under one unit", sorted(below) == sorted(account["Id"] for account in accounts))
    expect("a path ends with its account", all(a["Paths"][0].endswith(a["Id"] + "/") for a in accounts))
    expect("the management account is one of them", organization["MasterAccountId"] in below)
    pages(client, "list_delegated_administrators", "DelegatedAdministrators")
    for policy in pages(client, "list_policies", "Policies", Filter="SERVICE_CONTROL_POLICY")[0]:
        client.describe_policy(PolicyId=policy["Id"])
    code, _, _ = refusal(client.describe_effective_policy, PolicyType="BEDROCK_POLICY")
    expect("no effective policy", code == "EffectivePolicyNotFoundException", code)
    code, _, _ = refusal(simulator.client("organizations", credentials=simulator.user("member-operator")).list_accounts)
    expect("a member may not list accounts", code == "AccessDeniedException", code)
    delegated = simulator.client("organizations", credentials=simulator.user("delegated-operator"))
    expect("a delegated administrator may", len(delegated.list_accounts()["Accounts"]) > 0)
    return accounts


def sweep_account(simulator, account, regions):
    credentials = simulator.assume(account)

    def make(service, region="us-east-1"):
        return simulator.client(service, region, credentials, on_answer)

    account_client = make("account")
    found, _ = pages(account_client, "list_regions", "Regions")
    enabled = [region["RegionName"] for region in found if region["RegionOptStatus"].startswith("ENABLED")]
    expect("the regions asked for are on", set(regions) <= set(enabled), str(enabled))
    account_client.get_region_opt_status(RegionName=regions[0])
    make("sts").get_caller_identity()
    for region in regions:
        sweep_sagemaker(make("sagemaker", region))
        sweep_bedrock(make("bedrock", region), make("bedrock-agent", region))
        sweep_agentcore(make("bedrock-agentcore-control", region))
    sweep_support(lambda service: make(service, regions[0]))
    sweep_global(make)


def test_sweep(program):
    with Simulator(program, "--accounts", "8", "--seed", "5", "--page-size", "2") as simulator:
        simulator.client("sts", hook=on_answer).get_caller_identity()
        accounts = sweep_organization(simulator)
        simulator.client("sts", hook=on_answer).assume_role(
            RoleArn=f"arn:aws:iam::{accounts[1]['Id']}:role/OrgsweepAudit", RoleSessionName="test-boto3",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        for number in (1, 2, 4, 6):
            sweep_account(simulator, accounts[number]["Id"], ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1"])
        statistics = simulator.control("GET", "/_simulator/statistics")
        expect("no signature was refused", statistics["refused_signatures"] == 0, str(statistics))
        with open(simulator.log, encoding="utf-8") as log:
            lines = [json.loads(line) for line in log]
        expect("the log has a line for each request", len(lines) == statistics["requests"])
        expect("the log holds no token or secret", not any("Token" in str(line) or "secret" in str(line) for line in lines))


OPERATIONS = """
sts:GetCallerIdentity sts:AssumeRole organizations:DescribeOrganization organizations:ListAccounts organizations:ListRoots
organizations:ListOrganizationalUnitsForParent organizations:ListAccountsForParent organizations:ListDelegatedAdministrators
organizations:ListPolicies organizations:DescribePolicy organizations:DescribeEffectivePolicy account:ListRegions account:GetRegionOptStatus
ec2:DescribeRegions ec2:DescribeVpcEndpoints ec2:DescribeSecurityGroups
bedrock:GetModelInvocationLoggingConfiguration bedrock:ListGuardrails bedrock:GetGuardrail
bedrock:ListEnforcedGuardrailsConfiguration bedrock:ListCustomModels bedrock:GetCustomModel
bedrock-agent:ListAgents bedrock-agent:GetAgent bedrock-agent:ListAgentActionGroups bedrock-agent:GetAgentActionGroup
bedrock-agent:ListAgentAliases bedrock-agent:GetAgentVersion bedrock-agent:ListKnowledgeBases
bedrock-agent:GetKnowledgeBase bedrock-agent:ListDataSources bedrock-agent:GetDataSource
bedrock-agentcore-control:ListAgentRuntimes bedrock-agentcore-control:GetAgentRuntime
bedrock-agentcore-control:ListGateways bedrock-agentcore-control:GetGateway bedrock-agentcore-control:ListMemories
bedrock-agentcore-control:GetMemory bedrock-agentcore-control:ListCodeInterpreters
bedrock-agentcore-control:GetCodeInterpreter bedrock-agentcore-control:ListBrowsers bedrock-agentcore-control:GetBrowser
sagemaker:ListNotebookInstances sagemaker:DescribeNotebookInstance sagemaker:ListEndpoints sagemaker:DescribeEndpoint
sagemaker:DescribeEndpointConfig sagemaker:ListEndpointConfigs sagemaker:ListModels sagemaker:DescribeModel
sagemaker:ListDomains sagemaker:DescribeDomain sagemaker:ListTrainingJobs sagemaker:DescribeTrainingJob
iam:ListServiceSpecificCredentials iam:GetAccountAuthorizationDetails iam:ListRoles s3:ListBuckets
s3:GetBucketPolicyStatus s3:GetPublicAccessBlock s3:GetBucketEncryption s3:GetBucketVersioning s3:GetBucketLocation
s3:GetBucketAcl kms:DescribeKey kms:ListKeys logs:DescribeLogGroups cloudtrail:DescribeTrails cloudtrail:GetTrailStatus
cloudtrail:GetEventSelectors guardduty:ListDetectors guardduty:GetDetector lambda:GetFunctionConfiguration
""".split()


def test_every_operation_was_seen(_):
    for name in sorted(seen_operations):
        count, problems = seen_operations[name]
        report(f"shape of {name} ({count} answers)", "; ".join(sorted(set(problems))[:5]) if problems else None)
    for name in OPERATIONS:
        expect(f"{name} was answered and checked", seen_operations.get(name, (0, []))[0] > 0, "no answer seen")
    expect("no other operation was", set(seen_operations) <= set(OPERATIONS), str(set(seen_operations) - set(OPERATIONS)))


# --- refusals --------------------------------------------------------------------------------------------------

REFUSAL_CALLS = [
    ("sagemaker", "list_endpoints", {}, "json"),
    ("bedrock", "list_guardrails", {}, "rest-json"),
    ("sts", "get_caller_identity", {}, "query"),
    ("ec2", "describe_regions", {}, "query"),
    ("s3", "list_buckets", {}, "s3"),
]


def expect_refusal(name, simulator, credentials, codes, words=""):
    for service, operation, parameters, kind in REFUSAL_CALLS:
        client = simulator.client(service, credentials=credentials)
        code, message, status = refusal(getattr(client, operation), **parameters)
        good = code == codes[kind] and status in (400, 403) and words in message
        expect(f"{name}: {service}", good, f"{code} {status} {message}")


def test_credentials(program):
    wrong = {
        "json": "InvalidSignatureException", "rest-json": "InvalidSignatureException",
        "query": "SignatureDoesNotMatch", "s3": "SignatureDoesNotMatch",
    }
    unknown = {
        "json": "UnrecognizedClientException", "rest-json": "UnrecognizedClientException",
        "query": "InvalidClientTokenId", "s3": "InvalidAccessKeyId",
    }
    bad_token = dict(unknown, s3="InvalidToken")
    expired = {
        "json": "ExpiredTokenException", "rest-json": "ExpiredTokenException",
        "query": "ExpiredToken", "s3": "ExpiredToken",
    }
    with Simulator(program, "--session-seconds", "2", "--external-id", "shared-word") as simulator:
        user = simulator.ready
        organization = simulator.client("organizations")
        account = organization.list_accounts()["Accounts"][1]["Id"]
        expect_refusal("wrong secret", simulator, dict(user, secret_access_key="x" * 40), wrong)
        expect_refusal("unknown key", simulator, dict(user, access_key_id="AKIAAAAAAAAAAAAAAAAA"), unknown)
        expect_refusal("token with a long-term key", simulator, dict(user, SessionToken="x"), bad_token)
        code, _, status = refusal(simulator.client("sts").assume_role, RoleArn=f"arn:aws:iam::{account}:role/OrgsweepAudit",
                                  RoleSessionName="test-boto3")
        expect("no external id, no role", (code, status) == ("AccessDenied", 403), code)
        code, message, _ = refusal(simulator.client("sts").assume_role, RoleArn=f"arn:aws:iam::{account}:role/Nobody",
                                   RoleSessionName="test-boto3")
        expect("no such role", code == "AccessDenied" and "is not authorized to perform: sts:AssumeRole" in message, message)
        code, _, _ = refusal(simulator.client("sts").assume_role, RoleArn=f"arn:aws:iam::{account}:role/OrgsweepAudit",
                             RoleSessionName="test-boto3", ExternalId="shared-word", Policy="{nonsense")
        expect("a policy that is none", code == "MalformedPolicyDocument", code)
        code, _, _ = refusal(simulator.client("sts").assume_role, RoleArn=f"arn:aws:iam::{account}:role/OrgsweepAudit",
                             RoleSessionName="test-boto3", ExternalId="shared-word", DurationSeconds=50000)
        expect("too long a session", code == "ValidationError", code)
        session = simulator.assume(account, ExternalId="shared-word")
        foreign = simulator.assume(account, ExternalId="shared-word")
        mixed = dict(session, SessionToken=foreign["SessionToken"])
        expect_refusal("another session's token", simulator, mixed, bad_token)
        cut = dict(session, SessionToken=session["SessionToken"][:-1] + "x")
        expect_refusal("a changed token", simulator, cut, bad_token)
        time.sleep(2.2)
        expect_refusal("expired session", simulator, session, expired, "expired")


def test_clock(program):
    skewed = {
        "json": "InvalidSignatureException", "rest-json": "InvalidSignatureException",
        "query": "SignatureDoesNotMatch", "s3": "RequestTimeTooSkewed",
    }
    with Simulator(program) as simulator:
        simulator.control("POST", "/_simulator/clock", {"offset_seconds": 400})
        expect_refusal("the clock is ahead", simulator, None, skewed, "")
        code, message, _ = refusal(simulator.client("bedrock").list_guardrails)
        expect("it says expired", message.startswith("Signature expired: ") and message.endswith("- 5 min.)"), message)
        simulator.control("POST", "/_simulator/clock", {"offset_seconds": -400})
        code, message, _ = refusal(simulator.client("bedrock").list_guardrails)
        expect("it says not yet current", message.startswith("Signature not yet current: "), message)
        simulator.control("POST", "/_simulator/clock", {"offset_seconds": 200})
        expect("within five minutes it is well", refusal(simulator.client("bedrock").list_guardrails)[0] is None)
        simulator.control("POST", "/_simulator/clock", {"offset_seconds": 0})


def test_refusals(program):
    with Simulator(program, "--demo", "--regions", "us-east-1,eu-west-1,af-south-1") as simulator:
        accounts = {a["Name"]: a for a in simulator.client("organizations").list_accounts()["Accounts"]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["sagemaker:*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "sagemaker:ListModels", "Resource": "*"}]})
        session = simulator.assume(accounts["chatbot-prod"]["Id"], Policy=policy)
        sagemaker = simulator.client("sagemaker", credentials=session)
        expect("what the session policy allows", refusal(sagemaker.list_endpoints)[0] is None)
        _, message, _ = refusal(sagemaker.list_models)
        expect("what it denies", message.endswith("with an explicit deny in a session policy"), message)
        code, message, status = refusal(simulator.client("bedrock", credentials=session).list_guardrails)
        expect("what it does not name", (code, status) == ("AccessDeniedException", 403) and
               message.endswith("because no session policy allows the bedrock:ListGuardrails action"), message)
        _, _, status = refusal(simulator.client("s3", credentials=session).list_buckets)
        expect("refused by S3 too", status == 403)
        for name in ("acquired-startup", "former-project"):
            code, _, _ = refusal(simulator.assume, account=accounts[name]["Id"])
            expect(f"no role in {name}", code == "AccessDenied", code)
        closed = simulator.assume(accounts["payments-prod"]["Id"])
        _, message, _ = refusal(simulator.client("bedrock", credentials=closed).get_model_invocation_logging_configuration)
        expect("closed by a service control policy", "with an explicit deny in a service control policy" in message, message)
        off = [a for a in accounts.values() if a["State"] == "ACTIVE" and a["Name"] not in ("management", "acquired-startup")
               and "af-south-1" not in enabled_regions(simulator, a["Id"])]
        expect("in some account the opt-in region is off", bool(off))
        credentials = simulator.assume(off[0]["Id"])
        for service, operation in (("bedrock", "list_guardrails"), ("sts", "get_caller_identity")):
            client = simulator.client(service, "af-south-1", credentials)
            code, message, _ = refusal(getattr(client, operation))
            expect(f"{service} in a region that is off", code in ("UnrecognizedClientException", "InvalidClientTokenId") and
                   message == "The security token included in the request is invalid.", f"{code} {message}")
        code, _, _ = refusal(simulator.client("bedrock", "eu-north-9", credentials).list_guardrails)
        expect("a region that is none", code == "InvalidSignatureException", code)
        for service, operation, parameters, code, status in MISSING:
            client = simulator.client(service, credentials=simulator.assume(accounts["chatbot-prod"]["Id"]))
            got, message, got_status = refusal(getattr(client, operation), **parameters)
            expect(f"missing: {service}.{operation}", (got, got_status) == (code, status), f"{got} {got_status} {message}")
        code, _, _ = refusal(simulator.client("sagemaker").list_hubs)
        expect("an operation that is not simulated", code == "UnknownOperationException", code)
        code, _, _ = refusal(simulator.client("bedrock").list_evaluation_jobs)
        expect("the same with rest-json", code == "UnknownOperationException", code)
        code, _, _ = refusal(simulator.client("iam").list_users)
        expect("the same with a query protocol", code == "InvalidAction", code)


MISSING = [
    ("sagemaker", "describe_notebook_instance", {"NotebookInstanceName": "gone"}, "ValidationException", 400),
    ("sagemaker", "describe_endpoint_config", {"EndpointConfigName": "gone"}, "ValidationException", 400),
    ("sagemaker", "describe_domain", {"DomainId": "d-gone"}, "ResourceNotFound", 400),
    ("bedrock", "get_guardrail", {"guardrailIdentifier": "gone"}, "ResourceNotFoundException", 404),
    ("bedrock-agent", "get_agent", {"agentId": "GONE000000"}, "ResourceNotFoundException", 404),
    ("bedrock-agentcore-control", "get_memory", {"memoryId": "gone-aaaaaaaaaa"}, "ResourceNotFoundException", 404),
    ("kms", "describe_key", {"KeyId": "alias/gone"}, "NotFoundException", 400),
    ("cloudtrail", "get_trail_status", {"Name": "gone"}, "TrailNotFoundException", 404),
    ("guardduty", "get_detector", {"DetectorId": "gone"}, "BadRequestException", 400),
    ("lambda", "get_function_configuration", {"FunctionName": "gone"}, "ResourceNotFoundException", 404),
    ("bedrock", "list_guardrails", {"nextToken": "nonsense"}, "ValidationException", 400),
    ("sagemaker", "list_endpoints", {"NextToken": "nonsense"}, "ValidationException", 400),
]


def enabled_regions(simulator, account):
    client = simulator.client("account")
    found = pages(client, "list_regions", "Regions", AccountId=account)[0]
    return [region["RegionName"] for region in found if region["RegionOptStatus"].startswith("ENABLED")]


# --- faults ----------------------------------------------------------------------------------------------------


def kinds_of_faults(program):
    table = subprocess.run([program, "--list-faults"], capture_output=True, text=True, check=True).stdout
    return [line.split("`")[1].split(":")[0] for line in table.splitlines() if line.startswith("| `")]


# What boto3 makes of a fault on ListEndpoints: an error code, an exception, or a predicate over the answer.
FAULTS = {
    "throttle": "ThrottlingException", "server-error:503": "ServiceUnavailable",
    "opt-in-required": "OptInRequired", "subscription-required": "SubscriptionRequiredException",
    "unauthorized-operation": "UnauthorizedOperation",
    "feature-gated": "AccessDeniedException", "unrecognized-client": "UnrecognizedClientException",
    "expired-token": "ExpiredTokenException", "validation-error": "ValidationException",
    "vanish": "ResourceNotFoundException", "followed-gone": "ResourceNotFoundException",
    "denied-identity-explicit": ("AccessDeniedException", "with an explicit deny in an identity-based policy"),
    "denied-identity-implicit": ("AccessDeniedException", "because no identity-based policy allows the"),
    "denied-resource-explicit": ("AccessDeniedException", "with an explicit deny in a resource-based policy"),
    "denied-resource-implicit": ("AccessDeniedException", "because no resource-based policy allows the"),
    "denied-scp": ("AccessDeniedException", "with an explicit deny in a service control policy"),
    "denied-scp-implicit": ("AccessDeniedException", "because no service control policy allows the"),
    "denied-rcp": ("AccessDeniedException", "with an explicit deny in a resource control policy"),
    "denied-rcp-implicit": ("AccessDeniedException", "because no resource control policy allows the"),
    "denied-boundary": ("AccessDeniedException", "with an explicit deny in a permissions boundary"),
    "denied-boundary-implicit": ("AccessDeniedException", "because no permissions boundary allows the"),
    "denied-endpoint": ("AccessDeniedException", "with an explicit deny in a VPC endpoint policy"),
    "denied-endpoint-implicit": ("AccessDeniedException", "because no VPC endpoint policy allows the"),
    "denied-session": ("AccessDeniedException", "with an explicit deny in a session policy"),
    "denied-session-implicit": ("AccessDeniedException", "because no session policy allows the"),
    "denied-untold": ("AccessDeniedException", "is not authorized to perform: sagemaker:ListEndpoints on resource"),
    "slow:700": lambda answer, seconds: seconds >= 0.7,
    "hang": botocore.exceptions.ReadTimeoutError,
    "truncated": Exception, "reset": botocore.exceptions.HTTPClientError,
    "close-before-answer": botocore.exceptions.ConnectionClosedError,
    "skewed-date:3600": lambda answer, _: date_skew(answer) > 3500,
    "wrong-content-type": lambda answer, _: answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "text/html",
    "cut-body": lambda answer, _: "Endpoints" not in answer, "garbage": Exception,
    "empty-body": lambda answer, _: "Endpoints" not in answer,
    "huge:100000": lambda answer, _: int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"]) > 100000,
    "deep:500": lambda answer, _: answer["ResponseMetadata"]["HTTPStatusCode"] == 200,
    "missing-member:Endpoints[].EndpointArn": lambda answer, _: "EndpointArn" not in answer["Endpoints"][0],
    "null-member:Endpoints": lambda answer, _: answer.get("Endpoints") is None,
    "wrong-type:Endpoints[0].EndpointName": lambda answer, _: answer["Endpoints"][0]["EndpointName"] == 42,
    "endless-pages": lambda answer, _: answer["NextToken"] and answer["Endpoints"],
    "repeated-token": lambda answer, _: answer["NextToken"] and answer["Endpoints"],
    "empty-page-with-token": lambda answer, _: answer["NextToken"] and not answer["Endpoints"],
    "nul-in-name": lambda answer, _: "\0" in answer["Endpoints"][0]["EndpointName"],
    "escapes-in-name": lambda answer, _: "\x1b[31m" in answer["Endpoints"][0]["EndpointName"],
    "proxy-html:502": "502",
}


def date_skew(answer):
    told = datetime.datetime.strptime(answer["ResponseMetadata"]["HTTPHeaders"]["date"], "%a, %d %b %Y %H:%M:%S %Z")
    return (told - datetime.datetime.utcnow()).total_seconds()


def fault_problem(call, wanted):
    started = time.monotonic()
    try:
        answer = call()
    except botocore.exceptions.ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if isinstance(wanted, tuple):
            return None if code == wanted[0] and wanted[1] in message else f"{code} {message}"
        return None if code == wanted else f"{code} {message}"
    except Exception as error:
        good = isinstance(wanted, type) and isinstance(error, wanted)
        return None if good else f"{type(error).__name__}: {error}"
    if not callable(wanted) or isinstance(wanted, type):
        return "answered"
    return None if wanted(answer, time.monotonic() - started) else f"answer {answer}"


def test_faults(program):
    organization = {
        "accounts": [{"id": "111111111111", "name": "one", "resources": {"us-east-1": {"endpoints": [
            {"EndpointName": f"e{i}", "EndpointArn": f"arn:aws:sagemaker:us-east-1:111111111111:endpoint/e{i}",
             "EndpointConfigName": "c", "CreationTime": 1, "LastModifiedTime": 1, "EndpointStatus": "InService"}
            for i in range(3)]}}}],
    }
    covered = {kind.split(":")[0] for kind in FAULTS}
    for kind in kinds_of_faults(program):
        expect(f"fault {kind} is tested", kind in covered, "not in the test's table")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(organization, file)
        file.flush()
        with Simulator(program, "--organization", file.name, "--regions", "us-east-1") as simulator:
            client = simulator.client("sagemaker")
            client._client_config.read_timeout = 2
            client = boto3.session.Session().client(
                "sagemaker", region_name="us-east-1", endpoint_url=simulator.ready["endpoint"], verify=simulator.ready["ca"],
                config=CONFIG.merge(botocore.config.Config(read_timeout=2)),
                aws_access_key_id=simulator.ready["access_key_id"], aws_secret_access_key=simulator.ready["secret_access_key"])
            for kind, wanted in FAULTS.items():
                simulator.control("POST", "/_simulator/faults", {
                    "account": "1111*", "region": "us-*", "operation": "sagemaker:List*", "kind": kind, "times": 1})
                problem = fault_problem(client.list_endpoints, wanted)
                report(f"fault {kind}", problem)
                again = fault_problem(client.list_endpoints, lambda answer, _: len(answer["Endpoints"]) == 3)
                report(f"after fault {kind}", again)
                simulator.control("DELETE", "/_simulator/faults")
            test_fault_counts(simulator, client)
            test_page_faults(simulator, client)


def test_fault_counts(simulator, client):
    simulator.control("POST", "/_simulator/faults", [
        {"operation": "sagemaker:ListEndpoints", "kind": "throttle", "after": 2, "times": 2, "retry-after": 1500}])
    codes = [refusal(client.list_endpoints)[0] for _ in range(6)]
    expect("after and times are kept", codes == [None, None, "ThrottlingException", "ThrottlingException", None, None], str(codes))
    counts = simulator.control("GET", "/_simulator/faults")[0]
    expect("faults are counted", (counts["matched"], counts["injected"]) == (6, 2), str(counts))
    simulator.control("DELETE", "/_simulator/faults")
    simulator.control("POST", "/_simulator/faults", {"operation": "bedrock:*", "kind": "throttle"})
    expect("another service is not touched", refusal(client.list_endpoints)[0] is None)
    simulator.control("PUT", "/_simulator/faults", [{"operation": "sagemaker:*", "kind": "throttle"}])
    rows = [(row["operation"], row["kind"]) for row in simulator.control("GET", "/_simulator/faults")]
    expect("PUT takes the place of all", rows == [("sagemaker:*", "throttle")], str(rows))
    simulator.control("DELETE", "/_simulator/faults")
    simulator.control("POST", "/_simulator/faults", {"kind": "throttle", "probability": 0.5})
    codes = [refusal(client.list_endpoints)[0] for _ in range(200)]
    expect("probability is about kept", 60 < codes.count(None) < 140, str(codes.count(None)))
    simulator.control("DELETE", "/_simulator/faults")


def test_page_faults(simulator, client):
    simulator.control("POST", "/_simulator/faults", {"operation": "sagemaker:ListEndpoints", "kind": "empty-page-with-token"})
    found, count = pages(client, "list_endpoints", "Endpoints")
    expect("an empty page hides nothing", (len(found), count) == (3, 2), f"{len(found)} in {count} pages")
    simulator.control("DELETE", "/_simulator/faults")
    simulator.control("POST", "/_simulator/faults", {"operation": "sagemaker:ListEndpoints", "kind": "endless-pages"})
    tokens, token = [], {}
    for _ in range(5):
        answer = client.list_endpoints(**token)
        tokens.append(answer["NextToken"])
        token = {"NextToken": answer["NextToken"]}
    expect("endless pages have new tokens", len(set(tokens)) == 5, str(tokens))
    simulator.control("DELETE", "/_simulator/faults")
    simulator.control("POST", "/_simulator/faults", {"operation": "sagemaker:ListEndpoints", "kind": "repeated-token"})
    first = client.list_endpoints()["NextToken"]
    expect("a repeated token is the same", client.list_endpoints(NextToken=first)["NextToken"] == first)
    simulator.control("DELETE", "/_simulator/faults")


def test_xml_faults(program):
    with Simulator(program, "--demo") as simulator:
        sts, ec2 = simulator.client("sts"), simulator.client("ec2")
        account = simulator.client("organizations").list_accounts()["Accounts"][3]["Id"]
        role = {"RoleArn": f"arn:aws:iam::{account}:role/OrgsweepAudit", "RoleSessionName": "test-boto3"}

        def with_fault(kind, call, **parameters):
            simulator.control("POST", "/_simulator/faults", {"operation": "*", "kind": kind, "times": 1})
            try:
                return call(**parameters)
            except Exception as error:
                return error
            finally:
                simulator.control("DELETE", "/_simulator/faults")

        answer = with_fault("missing-member:Credentials.SessionToken", sts.assume_role, **role)
        expect("XML: a member is missing", "SessionToken" not in answer["Credentials"] and "AccessKeyId" in answer["Credentials"])
        answer = with_fault("null-member:Credentials.AccessKeyId", sts.assume_role, **role)
        expect("XML: a member is empty", answer["Credentials"]["AccessKeyId"] == "")
        answer = with_fault("missing-member:regionInfo.item.optInStatus", ec2.describe_regions)
        expect("XML: missing in every element", answer["Regions"] and not any("OptInStatus" in r for r in answer["Regions"]))
        answer = with_fault("wrong-type:Account", sts.get_caller_identity)
        expect("XML: another type", isinstance(answer, Exception) or answer["Account"] in (None, ""), repr(answer))
        answer = with_fault("cut-body", ec2.describe_regions)
        expect("XML: cut", isinstance(answer, botocore.parsers.ResponseParserError), repr(answer))
        answer = with_fault("nul-in-name", ec2.describe_regions)
        expect("XML: a NUL is malformed", isinstance(answer, botocore.parsers.ResponseParserError), repr(answer))
        answer = with_fault("escapes-in-name", ec2.describe_regions)
        expect("XML: escapes", "\x9b31m" in answer["Regions"][0]["RegionName"], repr(answer))
        answer = with_fault("huge:70000", ec2.describe_regions)
        expect("XML: huge", int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"]) > 70000)
        answer = with_fault("deep:300", sts.get_caller_identity)
        expect("XML: deep", answer["Account"] == simulator.ready["users"][0]["account"], repr(answer))
        for call, code in ((ec2.describe_regions, "RequestLimitExceeded"), (sts.get_caller_identity, "Throttling")):
            answer = with_fault("throttle", call)
            expect(f"XML: {code}", answer.response["Error"]["Code"] == code, repr(answer))
        answer = with_fault("denied-scp", ec2.describe_regions)
        expect("XML: refused", answer.response["Error"]["Code"] == "UnauthorizedOperation", repr(answer))
        answer = with_fault("denied-identity-implicit", sts.get_caller_identity)
        expect("XML: refused without a permission", "sts:GetCallerIdentity action" in str(answer), repr(answer))


def test_organization_switches(program):
    with Simulator(program, "--hide-paths", "--hide-states", "--accounts", "45", "--seed", "3") as simulator:
        accounts, count = pages(simulator.client("organizations"), "list_accounts", "Accounts")
        expect("45 accounts on three pages", (len(accounts), count) == (45, 3), f"{len(accounts)} {count}")
        expect("no Paths and no State", not any("Paths" in a or "State" in a for a in accounts))
        states = {a["Status"] for a in accounts}
        expect("every Status comes", states == {"ACTIVE", "SUSPENDED", "PENDING_CLOSURE"}, str(states))
    with Simulator(program, "--no-organization") as simulator:
        client = simulator.client("organizations")
        for call in (client.list_accounts, client.describe_organization):
            code, _, _ = refusal(call)
            expect("not in use", code == "AWSOrganizationsNotInUseException", code)


# --- organizations from files ----------------------------------------------------------------------------------


def test_print_organization(program):
    options = ["--accounts", "6", "--seed", "9", "--regions", "3"]
    printed = subprocess.run([program, *options, "--print-organization"], capture_output=True, check=True).stdout
    again = subprocess.run([program, *options, "--print-organization"], capture_output=True, check=True).stdout
    expect("the same seed prints the same bytes", printed == again)
    with tempfile.NamedTemporaryFile("wb", suffix=".json") as file:
        file.write(printed)
        file.flush()
        back = subprocess.run([program, "--organization", file.name, "--print-organization"], capture_output=True, check=True)
    expect("a printed organization reads back", json.loads(back.stdout) == json.loads(printed))


def test_organization_file(program):
    documents = {
        "partition": "aws-cn", "regions": ["cn-north-1", "cn-northwest-1"],
        "organization": {"id": "o-stated0001", "management_account": "222222222222", "empty_page": True,
                         "effective_policies": [{"target": "*", "type": "BEDROCK_POLICY", "content": {"bedrock": {}}}]},
        "roots": [{"id": "r-abcd", "name": "Root", "organizational_units": [
            {"id": "ou-abcd-11111111", "name": "Workloads", "organizational_units": [
                {"id": "ou-abcd-22222222", "name": "Prod"}]}]}],
        "accounts": [
            {"id": "222222222222", "name": "root of all"},
            {"id": "333333333333", "name": "shop", "ou": "Workloads/Prod", "roles": [{"name": "audit/Reader", "external_id": "word"}],
             "resources": {"*": {"logging": {}, "notebook-instances": [
                 {"detail": None, "summary": {"NotebookInstanceName": "vanished", "NotebookInstanceArn": "arn:${partition}:sagemaker:${region}:${account}:notebook-instance/vanished"}}]}}},
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(documents, file)
        file.flush()
        with Simulator(program, "--organization", file.name) as simulator:
            organization = simulator.client("organizations", "cn-northwest-1", hook=on_answer)
            effective = organization.describe_effective_policy(PolicyType="BEDROCK_POLICY")["EffectivePolicy"]
            expect("the effective policy is the stated one", json.loads(effective["PolicyContent"]) == {"bedrock": {}})
            first = organization.list_accounts()
            expect("the first page is empty and has a token", not first["Accounts"] and first["NextToken"])
            accounts = pages(organization, "list_accounts", "Accounts")[0]
            expect("both accounts come", [a["Id"] for a in accounts] == ["222222222222", "333333333333"])
            expect("the path is the units' ids", accounts[1]["Paths"] == ["o-stated0001/r-abcd/ou-abcd-11111111/ou-abcd-22222222/333333333333/"])
            sts = simulator.client("sts", "cn-north-1")
            session = sts.assume_role(RoleArn="arn:aws-cn:iam::333333333333:role/audit/Reader", RoleSessionName="me", ExternalId="word")
            expect("the session's ARN has no path", session["AssumedRoleUser"]["Arn"] == "arn:aws-cn:sts::333333333333:assumed-role/Reader/me")
            client = simulator.client("sagemaker", "cn-north-1", session["Credentials"])
            notebook = client.list_notebook_instances()["NotebookInstances"][0]
            expect("places are filled in", notebook["NotebookInstanceArn"] == "arn:aws-cn:sagemaker:cn-north-1:333333333333:notebook-instance/vanished")
            code, message, _ = refusal(client.describe_notebook_instance, NotebookInstanceName="vanished")
            expect("listed but gone", (code, message) == ("ValidationException", "RecordNotFound"), f"{code} {message}")
    for wrong, words in (
        ({"accounts": []}, "accounts"), ({"acounts": []}, "acounts"),
        ({"accounts": [{"id": "1"}]}, "12 digits"), ({"accounts": [{"id": "1" * 12, "ou": "Nowhere"}]}, "Nowhere"),
        ({"accounts": [{"id": "1" * 12, "resources": {"us-east-1": {"notebooks": []}}}]}, "notebooks"),
    ):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(wrong, file)
            file.flush()
            refused = subprocess.run([program, "--organization", file.name, "--plain-http"], capture_output=True, text=True, check=False)
        expect(f"a wrong file is refused: {words}", refused.returncode == 2 and words in refused.stderr, refused.stderr)


def test_seeded_organization(program):
    """What a benchmark relies on: a mixture, and about eight calls an account and region."""
    printed = subprocess.run([program, "--accounts", "200", "--regions", "17", "--print-organization"], capture_output=True, check=True)
    world = json.loads(printed.stdout)
    calls = cells = 0
    members = {"RootAccess": set(), "DirectInternetAccess": set()}
    for account in world["accounts"]:
        for region in account["regions"]:
            place = account["resources"].get(region, {})
            notebooks = place.get("notebook-instances", [])
            endpoints = place.get("endpoints", [])
            configs = {e["EndpointConfigName"] for e in endpoints} | {
                e["PendingDeploymentSummary"]["EndpointConfigName"] for e in endpoints if "PendingDeploymentSummary" in e}
            calls += 3 + max(1, -(-len(place.get("guardrails", [])) // 10)) + len(notebooks) + len(endpoints) + len(configs)
            cells += 1
            for name, values in members.items():
                values.update(notebook.get(name) for notebook in notebooks)
    expect("about eight calls an account and region", 7.0 < calls / cells < 9.0, f"{calls / cells:.2f}")
    for name, values in members.items():
        expect(f"{name} comes in every way", values == {"Enabled", "Disabled", None}, str(values))


def test_demo(program):
    """Each of the five checks fails somewhere, and each of the three chains has its legs, in accounts that can be swept."""
    printed = subprocess.run([program, "--demo", "--print-organization"], capture_output=True, check=True)
    world = json.loads(printed.stdout)
    found = {name: 0 for name in ("001", "002", "root", "internet", "key", "AC-37", "AC-38", "AC-39")}
    for account in world["accounts"]:
        if account["state"] != "ACTIVE" or not any(role["name"] == "OrgsweepAudit" for role in account["roles"]):
            continue
        for region in account["regions"]:
            place = account["resources"].get(region, {})
            notebooks = [n for n in place.get("notebook-instances", []) if n["NotebookInstanceStatus"] != "Deleting"]
            root = [n for n in notebooks if n.get("RootAccess") != "Disabled"]
            internet = [n for n in notebooks if n.get("DirectInternetAccess") != "Disabled"]
            configs = {c["EndpointConfigName"]: c for c in place.get("endpoint-configs", [])}
            bare = [e for e in place.get("endpoints", []) if e["EndpointStatus"] != "Deleting"
                    and "KmsKeyId" not in configs[e["EndpointConfigName"]]
                    and configs[e["EndpointConfigName"]]["ProductionVariants"][0].get("InstanceType") == "ml.m5.large"]
            is_guarded = any(g["status"] in ("READY", "UPDATING", "VERSIONING") for g in place.get("guardrails", []))
            is_logged = "loggingConfig" in place["logging"][0]
            for name, holds in (
                ("001", not is_logged), ("002", not is_guarded), ("root", root), ("internet", internet), ("key", bare),
                ("AC-37", [n for n in root if n in internet]), ("AC-38", not is_logged),
                ("AC-39", not is_guarded and (root or bare)),
            ):
                found[name] += bool(holds)
    for name, count in found.items():
        expect(f"the demonstration has {name}", count > 0)
    expect("it has gaps too", len(world["faults"]) >= 2 and any(len(a["roles"]) == 1 for a in world["accounts"]))


def test_readme(program):
    table = subprocess.run([program, "--list-faults"], capture_output=True, text=True, check=True).stdout
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md"), encoding="utf-8") as file:
        expect("the README has the table of --list-faults", table in file.read())


# --- the server itself -----------------------------------------------------------------------------------------


def exchange(port, data, parts=1, pause=0.0):
    """What comes back for these bytes until the other side is silent or ends."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1)
        step = -(-len(data) // parts)
        for start in range(0, len(data), step):
            connection.sendall(data[start : start + step])
            time.sleep(pause)
        answer = b""
        try:
            while True:
                got = connection.recv(65536)
                if not got:
                    break
                answer += got
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def test_http(program):
    with Simulator(program, "--plain-http", "--listen", "127.0.0.1:0", "--listen", "[::1]:0") as simulator:
        port = simulator.ready["port"]
        expect("it listens twice", len(simulator.ready["ports"]) == 2)
        get = b"GET /_simulator/statistics HTTP/1.1\r\nHost: x\r\n\r\n"
        post = b"POST /_simulator/clock HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n%s\r\n{\"offset_seconds\": 0}"
        post = post.replace(b"20", b"21")
        for name, data, wanted in (
            ("one request", get, [b"HTTP/1.1 200 OK"]),
            ("three at once", get * 3, [b"HTTP/1.1 200 OK"] * 3),
            ("a body", post % b"", [b"HTTP/1.1 200 OK"]),
            ("expect: 100-continue", post % b"Expect: 100-continue\r\n", [b"HTTP/1.1 200 OK"]),
            ("nonsense", b"\x16\x03\x01\x02\x00 nonsense\r\n\r\n", [b"HTTP/1.1 400 Bad Request"]),
            ("no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", [b"HTTP/1.1 400 Bad Request"]),
            ("a length that is none", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", [b"HTTP/1.1 400 Bad Request"]),
            ("chunks", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", [b"HTTP/1.1 400 Bad Request"]),
            ("a head without end", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000, [b"HTTP/1.1 413 Content Too Large"]),
            ("too many headers", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100 + b"\r\n", [b"HTTP/1.1 400 Bad Request"]),
            ("too large a body", b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", [b"HTTP/1.1 413 Content Too Large"]),
            ("not signed", b"GET /guardrails HTTP/1.1\r\nHost: x\r\n\r\n", [b"HTTP/1.1 403 Forbidden"]),
            ("no such control", b"GET /_simulator/x HTTP/1.1\r\n\r\n", [b"HTTP/1.1 404 Not Found"]),
            ("half a request", get[:20], []),
            ("bad authorization", b"GET / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=\r\n\r\n", [b"HTTP/1.1 403 Forbidden"]),
        ):
            answer = exchange(port, data)
            lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
            lines += [b"HTTP/1.1" + part.split(b"\r\n")[0] for part in answer.split(b"}HTTP/1.1")[1:]]
            if name == "expect: 100-continue":
                lines = [line for line in lines if b"100" not in line]
            expect(f"http: {name}", lines == wanted, repr(answer[:300]))
        slow = exchange(port, get, parts=len(get), pause=0.001)
        expect("http: byte by byte", slow.startswith(b"HTTP/1.1 200 OK"), repr(slow[:100]))
        answer = exchange(port, b"POST /_simulator/faults HTTP/1.1\r\nContent-Length: 9\r\n\r\n{\"kind\":1")
        expect("http: a fault that is none", answer.startswith(b"HTTP/1.1 400"), repr(answer[:200]))


def test_latency(program):
    options = ["--latency-ms", "300", "--latency-jitter-ms", "100", "--processes", "2"]
    with Simulator(program, *options) as simulator:
        def one(_):
            started = time.monotonic()
            connection = http.client.HTTPSConnection(
                "127.0.0.1", simulator.ready["port"], context=ssl.create_default_context(cafile=simulator.ready["ca"]))
            connection.request("GET", "/guardrails")
            status = connection.getresponse().status
            took = time.monotonic() - started
            connection.close()
            return status, took
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            started = time.monotonic()
            answers = list(pool.map(one, range(200)))
            whole = time.monotonic() - started
        expect("every answer takes its time", all(took >= 0.3 for _, took in answers), str(min(t for _, t in answers)))
        expect("they wait at the same time", whole < 10, f"{whole:.1f} s for 200 of at least 0.3 s")
        statistics = simulator.control("GET", "/_simulator/statistics")
        expect("both processes count together", statistics["requests"] == 200, str(statistics["requests"]))
        expect("several were in flight", statistics["in_flight_peak"] > 5, str(statistics["in_flight_peak"]))


def test_host_names(program):
    hosts = [
        ("bedrock.us-east-1.amazonaws.com", "bedrock", "us-east-1", "GET", "/guardrails", 200),
        ("bedrock.eu-west-1.api.aws", "bedrock", "eu-west-1", "GET", "/guardrails", 200),
        ("bedrock-agent.us-east-1.amazonaws.com", "bedrock", "us-east-1", "GET", "/guardrails", 404),
        ("bedrock-agentcore-control.us-east-1.amazonaws.com", "bedrock-agentcore", "us-east-1", "GET", "/gateways/", 200),
        ("iam.amazonaws.com", "iam", "us-east-1", "GET", "/?Action=ListRoles&Version=2010-05-08", 200),
        ("sts.eu-west-1.amazonaws.com", "sts", "eu-west-1", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", 200),
        ("sts.eu-west-1.amazonaws.com", "sts", "us-east-1", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", 403),
        ("BUCKET.s3.us-east-1.amazonaws.com", "s3", "us-east-1", "GET", "/?acl", 200),
        ("s3.us-east-1.amazonaws.com", "s3", "us-east-1", "GET", "/BUCKET?versioning", 200),
        ("s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "GET", "/BUCKET?versioning", 301),
        ("api.sagemaker.us-west-2.amazonaws.com", "bedrock", "us-west-2", "GET", "/guardrails", 404),
    ]
    with Simulator(program) as simulator:
        user = botocore.credentials.Credentials(simulator.ready["access_key_id"], simulator.ready["secret_access_key"])
        names = [b["Name"] for b in simulator.client("s3").list_buckets()["Buckets"] if b["BucketRegion"] == "us-east-1"]
        for host, service, region, method, path, wanted in hosts:
            host, path = host.replace("BUCKET", names[0]), path.replace("BUCKET", names[0])
            request = botocore.awsrequest.AWSRequest(method, f"https://{host}{path}", data=b"")
            signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
            signer(user, service, region).add_auth(request)
            plain_socket = socket.create_connection(("127.0.0.1", simulator.ready["port"]))
            context = ssl.create_default_context(cafile=simulator.ready["ca"])
            try:
                connection = http.client.HTTPConnection(host)
                connection.sock = context.wrap_socket(plain_socket, server_hostname=host)
                connection.request(method, path, headers=dict(request.headers))
                answer = connection.getresponse()
                body = answer.read()
                expect(f"host {host}, {region}", answer.status == wanted, f"{answer.status} {body[:200]}")
                connection.close()
            except ssl.SSLError as error:
                report(f"host {host}, {region}", str(error))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    program = sys.argv[1]
    for test in (test_sweep, test_organization_file, test_every_operation_was_seen, test_credentials, test_clock,
                 test_refusals, test_faults, test_xml_faults, test_organization_switches, test_print_organization, test_seeded_organization, test_demo,
                 test_readme, test_http, test_latency, test_host_names):
        try:
            test(program)
        except Exception as error:
            report(test.__name__, f"{type(error).__name__}: {error}")
    print(f"{results['passed']} passed, {results['failed']} failed")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
