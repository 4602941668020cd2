"""A whole sweep against moto, the public AWS mock: an organization of eight accounts in three regions, and a report that equals the
table below, written by hand. What moto does not implement comes out as NOT_ASSESSED with its reason."""
import subprocess
import sys
import urllib.request

import boto3

from common import Suite, cells, sweep, wait_for

suite = Suite()
REGIONS = ["ap-south-1", "eu-west-1", "us-east-1"]
MANAGEMENT = "123456789012"


def start(place):
    """moto in server mode on a free port."""
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", "import sys; from moto.server import main; main(sys.argv[1:])", "-H", "127.0.0.1", "-p", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    place.children.append(process)
    url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=2).status == 200
        except OSError:
            return False
    wait_for(answers, 60, "moto")
    return url


class Organization:
    """Made through the public API, as a person would."""

    def __init__(self, url):
        self.url, self.accounts = url, {}
        organizations = self.client("organizations", "us-east-1")
        organizations.create_organization(FeatureSet="ALL")
        self.root = organizations.list_roots()["Roots"][0]["Id"]
        workloads = organizations.create_organizational_unit(ParentId=self.root, Name="Workloads")["OrganizationalUnit"]["Id"]
        production = organizations.create_organizational_unit(ParentId=workloads, Name="Prod")["OrganizationalUnit"]["Id"]
        sandbox = organizations.create_organizational_unit(ParentId=self.root, Name="Sandbox")["OrganizationalUnit"]["Id"]
        for name, parent in (("alpha", production), ("beta", production), ("gamma", workloads), ("delta", sandbox), ("epsilon", self.root),
                             ("zeta", self.root), ("closed", sandbox)):
            made = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
            self.accounts[name] = made["AccountId"]
            if parent != self.root:
                organizations.move_account(AccountId=made["AccountId"], SourceParentId=self.root, DestinationParentId=parent)
        organizations.close_account(AccountId=self.accounts["closed"])

    def client(self, service, region, account=None):
        keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x" * 40}
        if account:
            role = boto3.client("sts", endpoint_url=self.url, region_name=region, **keys).assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/setup", RoleSessionName="setup")["Credentials"]
            keys = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"],
                    "aws_session_token": role["SessionToken"]}
        return boto3.client(service, endpoint_url=self.url, region_name=region, **keys)

    def notebook(self, account, region, name, **settings):
        self.client("sagemaker", region, self.accounts[account]).create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=f"arn:aws:iam::{self.accounts[account]}:role/notebook", **settings)
        return f"arn:aws:sagemaker:{region}:{self.accounts[account]}:notebook-instance/{name}"

    def endpoint(self, account, region, name, instance="ml.m5.large", **config):
        sagemaker = self.client("sagemaker", region, self.accounts[account])
        sagemaker.create_model(ModelName=f"{name}-model", ExecutionRoleArn=f"arn:aws:iam::{self.accounts[account]}:role/model",
                               PrimaryContainer={"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/model:1"})
        sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-config", ProductionVariants=[
            {"VariantName": "all", "ModelName": f"{name}-model", "InitialInstanceCount": 1, "InstanceType": instance}], **config)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")
        return f"arn:aws:sagemaker:{region}:{self.accounts[account]}:endpoint/{name}"

    def logging(self, account, region, **config):
        self.client("bedrock", region, self.accounts[account]).put_model_invocation_logging_configuration(loggingConfig=config)


def environment(place, url):
    return place.environment(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="x" * 40,
                             AWS_REGION="us-east-1")


@suite.test
def report_equals_the_table_written_by_hand(place):
    url = start(place)
    organization = Organization(url)
    bucket = {"s3Config": {"bucketName": "logs-of-prompts", "keyPrefix": ""}}
    flags = dict(textDataDeliveryEnabled=True, imageDataDeliveryEnabled=True, embeddingDataDeliveryEnabled=True)
    off = {name: False for name in flags}
    # --- what there is ---
    both = organization.notebook("alpha", "us-east-1", "open", RootAccess="Enabled", DirectInternetAccess="Enabled")
    root_only = organization.notebook("alpha", "us-east-1", "root", RootAccess="Enabled", DirectInternetAccess="Disabled", SubnetId="subnet-1",
                                      SecurityGroupIds=["sg-1"])
    good = organization.notebook("beta", "eu-west-1", "good", RootAccess="Disabled", DirectInternetAccess="Disabled", SubnetId="subnet-1",
                                 SecurityGroupIds=["sg-1"])
    net_only = organization.notebook("gamma", "ap-south-1", "net", RootAccess="Disabled", DirectInternetAccess="Enabled")
    plain = organization.endpoint("alpha", "eu-west-1", "plain")
    keyed = organization.endpoint("beta", "eu-west-1", "keyed", KmsKeyId="arn:aws:kms:eu-west-1:111111111111:key/1")
    local = organization.endpoint("delta", "us-east-1", "local", instance="ml.g4dn.xlarge")
    organization.logging("alpha", "us-east-1", **bucket, **flags)
    organization.logging("beta", "eu-west-1", **bucket, **off)
    organization.logging("epsilon", "ap-south-1", **bucket, **flags)
    # --- what the report must say ---
    ids = organization.accounts
    active = sorted([MANAGEMENT] + [ids[n] for n in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")])
    expected = {}
    for account in active:
        for region in REGIONS:
            expected[account, region, "aws-bedrock-001"] = "FAIL"
            expected[account, region, "aws-bedrock-002"] = "NOT_ASSESSED"  # moto has no ListGuardrails
            for check in ("aws-sagemaker-001", "aws-sagemaker-002", "aws-sagemaker-003"):
                expected[account, region, check] = "NOT_APPLICABLE"
    expected.update({
        (ids["alpha"], "us-east-1", "aws-bedrock-001"): "PASS",
        (ids["epsilon"], "ap-south-1", "aws-bedrock-001"): "PASS",
        (ids["alpha"], "us-east-1", "aws-sagemaker-001"): "FAIL", (ids["alpha"], "us-east-1", "aws-sagemaker-002"): "FAIL",
        (ids["beta"], "eu-west-1", "aws-sagemaker-001"): "PASS", (ids["beta"], "eu-west-1", "aws-sagemaker-002"): "PASS",
        (ids["gamma"], "ap-south-1", "aws-sagemaker-001"): "PASS", (ids["gamma"], "ap-south-1", "aws-sagemaker-002"): "FAIL",
        (ids["alpha"], "eu-west-1", "aws-sagemaker-003"): "FAIL", (ids["beta"], "eu-west-1", "aws-sagemaker-003"): "PASS",
    })
    done = sweep(place, "--all", "--regions", ",".join(REGIONS), environment=environment(place, url))
    assert done.code == 4, done.err
    report = done.report
    states = cells(report)
    different = {key: (expected.get(key), states.get(key)) for key in expected.keys() | states.keys() if expected.get(key) != states.get(key)}
    assert not different, different
    assert report["coverage"]["planned"] == len(expected)
    rows = {(r["check_id"], r["resource"]): r for r in report["results"] if r["resource"]}
    for check, arn, status in (("aws-sagemaker-001", both, "FAIL"), ("aws-sagemaker-002", both, "FAIL"), ("aws-sagemaker-001", root_only, "FAIL"),
                               ("aws-sagemaker-002", root_only, "PASS"), ("aws-sagemaker-001", good, "PASS"), ("aws-sagemaker-002", net_only, "FAIL"),
                               ("aws-sagemaker-003", plain, "FAIL"), ("aws-sagemaker-003", keyed, "PASS"), ("aws-sagemaker-003", local, "NOT_APPLICABLE")):
        assert rows[check, arn]["status"] == status, rows[check, arn]
    assert rows["aws-sagemaker-003", local]["reason"] == "not-meaningful"
    assert {g["reason"] for g in report["coverage"]["gaps"]} == {"service-unavailable"}
    assert {g["check_id"] for g in report["coverage"]["gaps"]} == {"aws-bedrock-002"}
    by_id = {a["id"]: a for a in report["accounts"]}
    assert by_id[ids["alpha"]]["path"] == "Root/Workloads/Prod" and by_id[ids["gamma"]]["path"] == "Root/Workloads", by_id
    assert by_id[ids["epsilon"]]["path"] == "Root" and by_id[ids["closed"]]["swept"] is False
    assert by_id[ids["closed"]]["state"] in ("SUSPENDED", "PENDING_CLOSURE", "CLOSED")
    assert [a for a, row in by_id.items() if row["swept"]] == active
    chains = {(c["chain_id"], c["account"], tuple(c["regions"]), c["status"]) for c in report["chains"]}
    assert ("AC-37", ids["alpha"], ("us-east-1",), "confirmed") in chains
    assert {c["account"] for c in report["chains"] if c["chain_id"] == "AC-38"} == set(active)
    assert {(c[1], c[2], c[3]) for c in chains if c[0] == "AC-39"} == {
        (ids["alpha"], ("us-east-1",), "unverified"), (ids["alpha"], ("eu-west-1",), "unverified")}


@suite.test
def scope_by_organizational_unit(place):
    url = start(place)
    organization = Organization(url)
    ids = organization.accounts
    for arguments, names in ((["--ou", "Workloads"], ("alpha", "beta", "gamma")), (["--ou", "Workloads/Prod"], ("alpha", "beta")),
                             (["--ou", "Root/Workloads", "--exclude-ou", "Workloads/Prod"], ("gamma",)), (["--accounts", "a*,zeta"], ("alpha", "zeta"))):
        done = sweep(place, *arguments, "--regions", "us-east-1", "--checks", "aws-bedrock-001", environment=environment(place, url))
        swept = {a["id"] for a in done.report["accounts"] if a["swept"]}
        assert swept == {ids[name] for name in names}, (arguments, swept)
        assert {a["reason"] for a in done.report["accounts"] if not a["swept"]} != {None}
    done = sweep(place, "--ou", "Worklods", environment=environment(place, url), check=False)
    assert done.code == 2 and "Workloads" in done.err, done.err
    done = sweep(place, "--accounts", "alhpa", environment=environment(place, url), check=False)
    assert done.code == 2 and "alpha" in done.err, done.err


suite.main()
