"""What one document says, and what its cell must be: a case an account, all in one sweep. By hand, from the contract and AWS's models."""
REGION = "us-east-1"
MANAGEMENT = "111111111111"
LOGGING, GUARDRAILS, ROOT, INTERNET, KEY = ("aws-bedrock-001", "aws-bedrock-002", "aws-sagemaker-001", "aws-sagemaker-002", "aws-sagemaker-003")
WITHOUT = object()  # the member is not there
NOTHING = "NOT_APPLICABLE no-resource"
MEANINGLESS = "NOT_APPLICABLE not-meaningful"
MALFORMED = "NOT_ASSESSED malformed-response"
DENIED = "NOT_ASSESSED denied-iam"


def document(base, changes):
    return {name: value for name, value in {**base, **changes}.items() if value is not WITHOUT}


def notebook(name, **changes):
    return document({"NotebookInstanceName": name, "NotebookInstanceArn": "arn:aws:sagemaker:${region}:${account}:notebook-instance/" + name,
                     "NotebookInstanceStatus": "InService", "RootAccess": "Disabled", "DirectInternetAccess": "Disabled"}, changes)


def endpoint(**changes):
    return document({"EndpointName": "e", "EndpointArn": "arn:aws:sagemaker:${region}:${account}:endpoint/e", "EndpointStatus": "InService",
                     "EndpointConfigName": "c", "CreationTime": 1.7e9, "LastModifiedTime": 1.7e9}, changes)


def config(name="c", **changes):
    return document({"EndpointConfigName": name, "EndpointConfigArn": "arn:aws:sagemaker:${region}:${account}:endpoint-config/" + name,
                     "CreationTime": 1.7e9, "ProductionVariants": variants(InstanceType="ml.m5.large")}, changes)


def variants(**members):
    return [{"VariantName": "v", **members}]


def guardrails(*statuses):
    return {"guardrails": [{"id": f"g{i:03}", "guardrailId": f"g{i:03}", "arn": "arn:aws:bedrock:${region}:${account}:guardrail/" + f"g{i:03}",
                            "guardrailArn": "arn:aws:bedrock:${region}:${account}:guardrail/" + f"g{i:03}", "status": status, "name": f"g{i:03}",
                            "version": "DRAFT", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
                           for i, status in enumerate(statuses)]}


def logging(**members):
    return {"logging": {"loggingConfig": members}}


def flags(**given):
    return {name + "DataDeliveryEnabled": value for name, value in given.items()}


def fault(operation, kind, **more):
    return {"operation": operation, "kind": kind, **more}


CLOUDWATCH = {"cloudWatchConfig": {"logGroupName": "g", "roleArn": "arn:aws:iam::111111111111:role/x"}}
S3 = {"s3Config": {"bucketName": "b"}}
GUARDRAIL_PAGE = "bedrock:ListGuardrails"
DESCRIBE = "sagemaker:DescribeNotebookInstance"

# what it is, {check: cell}, resources, faults
CASES = [
    ("never configured", {LOGGING: "FAIL"}, {"logging": {}}),
    ("null", {LOGGING: "FAIL"}, {"logging": {"loggingConfig": None}}),
    ("empty", {LOGGING: "FAIL"}, logging()),
    ("no flag is all on", {LOGGING: "PASS"}, logging(**S3)),
    ("all flags off", {LOGGING: "FAIL"}, logging(**CLOUDWATCH, **flags(text=False, image=False, embedding=False, video=False, audio=False))),
    ("the one flag that is there is off", {LOGGING: "FAIL"}, logging(**CLOUDWATCH, **flags(text=False))),
    ("video only", {LOGGING: "PASS"}, logging(**CLOUDWATCH, **flags(text=False, video=True))),
    ("embedding only", {LOGGING: "PASS"}, logging(**S3, **flags(text=False, image=False, embedding=True))),
    ("flags without destination", {LOGGING: "FAIL"}, logging(**flags(text=True))),
    ("names that are empty", {LOGGING: "FAIL"}, logging(s3Config={"bucketName": ""}, cloudWatchConfig={"logGroupName": "", "roleArn": ""})),
    ("large data alone, no log group", {LOGGING: MALFORMED}, logging(cloudWatchConfig={"roleArn": "r", "largeDataDeliveryS3Config": {"bucketName": "b"}})),
    ("no bucket in the S3 destination", {LOGGING: MALFORMED}, logging(s3Config={})),
    ("one whole destination decides", {LOGGING: "PASS"}, logging(**S3, cloudWatchConfig={})),
    ("configuration of another type", {LOGGING: MALFORMED}, {"logging": {"loggingConfig": []}}),
    ("log group of another type", {LOGGING: MALFORMED}, logging(cloudWatchConfig={"logGroupName": 5, "roleArn": "r"})),
    ("flag of another type", {LOGGING: MALFORMED}, logging(**S3, **flags(text="false"))),
    ("flag of another type beside one that is on", {LOGGING: "PASS"}, logging(**S3, **flags(text="false", image=True))),
    ("null flag is absent", {LOGGING: "FAIL"}, logging(**S3, **flags(text=None, image=False))),
    ("none", {GUARDRAILS: "FAIL"}, guardrails()),
    *((status, {GUARDRAILS: cell}, guardrails(status)) for status, cell in (
        ("READY", "PASS"), ("UPDATING", "PASS"), ("VERSIONING", "PASS"), ("CREATING", "FAIL"), ("FAILED", "FAIL"), ("DELETING", "FAIL"))),
    ("ready on page 1, page 2 refused", {GUARDRAILS: "PASS"}, guardrails("READY", *["FAILED"] * 140), fault(GUARDRAIL_PAGE, "denied-untold", after=1)),
    ("none on page 1, page 2 refused", {GUARDRAILS: DENIED}, guardrails(*["FAILED"] * 140), fault(GUARDRAIL_PAGE, "denied-untold", after=1)),
    ("ready on page 2", {GUARDRAILS: "PASS"}, guardrails(*["FAILED"] * 139, "READY")),
    ("list missing", {GUARDRAILS: MALFORMED}, guardrails("READY"), fault(GUARDRAIL_PAGE, "missing-member:guardrails")),
    ("list null", {GUARDRAILS: MALFORMED}, guardrails("READY"), fault(GUARDRAIL_PAGE, "null-member:guardrails")),
    ("one without status beside a ready one", {GUARDRAILS: "PASS"}, guardrails("READY", "READY"), fault(GUARDRAIL_PAGE, "missing-member:guardrails[0].status")),
    ("token again and again", {GUARDRAILS: MALFORMED}, guardrails(*["FAILED"] * 140), fault(GUARDRAIL_PAGE, "repeated-token")),
    ("nothing at all", {ROOT: NOTHING, INTERNET: NOTHING, KEY: NOTHING}, {}),
    ("good", {ROOT: "PASS", INTERNET: "PASS"}, {"notebook-instances": [notebook("n")]}),
    ("absent is the default", {ROOT: "FAIL", INTERNET: "FAIL"}, {"notebook-instances": [notebook("n", RootAccess=WITHOUT, DirectInternetAccess=None)]}),
    ("another type", {ROOT: MALFORMED, INTERNET: "FAIL"}, {"notebook-instances": [notebook("n", RootAccess=1, DirectInternetAccess="Enabled")]}),
    ("Deleting", {ROOT: NOTHING}, {"notebook-instances": [notebook("n", NotebookInstanceStatus="Deleting", RootAccess="Enabled")]}),
    *((status, {ROOT: "FAIL"}, {"notebook-instances": [notebook("n", NotebookInstanceStatus=status, RootAccess="Enabled")]})
      for status in ("Failed", "Stopped", "Pending", "Updating", "Stopping")),
    ("Deleting when described", {ROOT: NOTHING}, {"notebook-instances": [{
        "detail": notebook("n", NotebookInstanceStatus="Deleting", RootAccess="Enabled"),
        "summary": notebook("n", RootAccess=WITHOUT, DirectInternetAccess=WITHOUT)}]}),
    ("vanished", {ROOT: NOTHING}, {"notebook-instances": [notebook("n")]}, fault(DESCRIBE, "vanish")),
    *((f"without {member}", {ROOT: MALFORMED, INTERNET: MALFORMED}, {"notebook-instances": [notebook("n")]}, fault(DESCRIBE, "missing-member:" + member))
      for member in ("NotebookInstanceArn", "NotebookInstanceName", "NotebookInstanceStatus")),
    *((f"listed without {member}", {ROOT: MALFORMED}, {"notebook-instances": [notebook("n")]},
       fault("sagemaker:ListNotebookInstances", "missing-member:NotebookInstances[]." + member))
      for member in ("NotebookInstanceArn", "NotebookInstanceName", "NotebookInstanceStatus")),
    ("one fails, one is refused", {ROOT: "FAIL partial"}, {"notebook-instances": [notebook("a", RootAccess="Enabled"), notebook("b", RootAccess="Enabled")]},
     fault(DESCRIBE, "denied-untold", after=1)),
    ("one is good, one is refused", {ROOT: DENIED}, {"notebook-instances": [notebook("a"), notebook("b")]}, fault(DESCRIBE, "denied-untold", after=1)),
]


def endpoint_case(what, cell, configs=None, faults=(), **members):
    return (what, {KEY: cell}, {"endpoints": [endpoint(**members)], "endpoint-configs": [config()] if configs is None else configs}, *faults)


SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
PENDING = {"PendingDeploymentSummary": {"EndpointConfigName": "d"}}
CASES += [
    endpoint_case("no key", "FAIL"),
    endpoint_case("key", "PASS", [config(KmsKeyId="alias/mine")]),
    endpoint_case("AWS's own key", "PASS", [config(KmsKeyId="alias/aws/sagemaker")]),
    endpoint_case("null key", "FAIL", [config(KmsKeyId=None)]),
    endpoint_case("empty key", "FAIL", [config(KmsKeyId="")]),
    endpoint_case("key of another type", MALFORMED, [config(KmsKeyId=7)]),
    endpoint_case("serverless", MEANINGLESS, [config(ProductionVariants=variants(**SERVERLESS))]),
    endpoint_case("local NVMe", MEANINGLESS, [config(KmsKeyId="k", ProductionVariants=variants(InstanceType="ml.p6-b200.48xlarge"))]),
    endpoint_case("unknown family", "FAIL", [config(ProductionVariants=variants(InstanceType="ml.z9.xlarge"))]),
    endpoint_case("local NVMe and a shadow with volumes", "FAIL", [config(ProductionVariants=variants(InstanceType="ml.g5.xlarge"),
                                                                          ShadowProductionVariants=variants(InstanceType="ml.m5.large"))]),
    endpoint_case("pool with volumes", "FAIL", [config(ProductionVariants=variants(InstancePools=[{"InstanceType": "ml.g5.xlarge", "Priority": 1},
                                                                                                  {"InstanceType": "ml.m5.large", "Priority": 2}]))]),
    endpoint_case("pool without type", MALFORMED, [config(KmsKeyId="k", ProductionVariants=variants(InstancePools=[{"Priority": 1}]))]),
    endpoint_case("no type told", "FAIL", [config(ProductionVariants=variants())]),
    endpoint_case("no variants", MALFORMED, [config(ProductionVariants=WITHOUT)]),
    endpoint_case("variant without name", MALFORMED, [config(ProductionVariants=[{"InstanceType": "ml.m5.large"}])]),
    endpoint_case("Deleting", NOTHING, EndpointStatus="Deleting"),
    endpoint_case("Failed", "FAIL", EndpointStatus="Failed"),
    endpoint_case("configuration gone", "NOT_ASSESSED not-found", []),
    endpoint_case("vanished", NOTHING, None, [fault("sagemaker:DescribeEndpoint", "vanish")]),
    endpoint_case("without a configuration's name", MALFORMED, EndpointConfigName=WITHOUT),
    endpoint_case("pending without key", "FAIL", [config(KmsKeyId="k"), config("d")], **PENDING),
    endpoint_case("pending gone", "NOT_ASSESSED not-found", [config(KmsKeyId="k")], **PENDING),
    endpoint_case("pending gone, and it fails anyway", "FAIL", [config()], **PENDING),
    endpoint_case("pending without a name", MALFORMED, [config(KmsKeyId="k")], PendingDeploymentSummary={}),
    endpoint_case("configuration refused", DENIED, None, [fault("sagemaker:DescribeEndpointConfig", "denied-identity-explicit")]),
]


def organization():
    accounts = [{"id": MANAGEMENT, "name": "management", "regions": [REGION]}]
    faults = []
    for i, (what, _, resources, *own) in enumerate(CASES):
        account = str(200000000000 + i)
        accounts.append({"id": account, "name": what, "roles": ["OrgsweepAudit"], "regions": [REGION], "resources": {REGION: resources}})
        faults += [{"account": account, **one} for one in own]
    return {"organization": {"management_account": MANAGEMENT}, "regions": [REGION], "accounts": accounts, "faults": faults}


def cell_of(rows):
    """"FAIL partial", "NOT_ASSESSED denied-iam", "PASS", …: the state of the cell that these rows make."""
    states = {row["status"] for row in rows}
    if "FAIL" in states:
        return "FAIL partial" if "NOT_ASSESSED" in states else "FAIL"
    for state in ("NOT_ASSESSED", "PASS", "NOT_APPLICABLE"):
        if state in states:
            reasons = sorted({row["reason"] for row in rows if row["status"] == state} - {None})
            return " ".join([state, *reasons])
    return "no row"


def differences(report):
    """[what, check, wanted, got] of each case that is not as it must be."""
    different = []
    for i, (what, wanted, *_) in enumerate(CASES):
        for check, cell in wanted.items():
            rows = [row for row in report["results"] if row["account"] == str(200000000000 + i) and row["check_id"] == check]
            if cell_of(rows) != cell:
                different.append([what, check, cell, cell_of(rows)])
    return different
