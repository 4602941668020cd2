"""A second judge, written apart from the C: what the five checks must say of a simulated organization's documents; and of the test-only
catalogue what needs the sweep's start or a look into another account."""
from datetime import datetime

LOCAL_NVME = {"c5d", "c6gd", "m5d", "m6gd", "r5d", "r6gd", "r7gd", "g4dn", "g5", "g6", "g6e", "g7", "g7e", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en",
              "p6-b200", "p6-b300", "p6e-gb200", "trn1", "trn1n", "trn2", "dl1"}
FLAGS = ("textDataDeliveryEnabled", "imageDataDeliveryEnabled", "embeddingDataDeliveryEnabled", "videoDataDeliveryEnabled", "audioDataDeliveryEnabled")


def logging_state(documents):
    config = (documents[0] if documents else {}).get("loggingConfig") or {}
    destination = (config.get("cloudWatchConfig") or {}).get("logGroupName") or (config.get("s3Config") or {}).get("bucketName")
    present = [config[flag] for flag in FLAGS if config.get(flag) is not None]
    return "FAIL" if not destination or (present and not any(present)) else "PASS"


def guardrails_state(documents):
    return "PASS" if any(row.get("status") in ("READY", "UPDATING", "VERSIONING") for row in documents) else "FAIL"


def families(variant):
    types = ([variant["InstanceType"]] if variant.get("InstanceType") else []) + [
        pool["InstanceType"] for pool in variant.get("InstancePools") or []]
    return {name.removeprefix("ml.").split(".")[0] for name in types}


def config_state(config):
    variants = (config.get("ProductionVariants") or []) + (config.get("ShadowProductionVariants") or [])
    based = [v for v in variants if not v.get("ServerlessConfig") and not families(v) <= LOCAL_NVME]
    if not based:
        return "NOT_APPLICABLE"
    return "PASS" if config.get("KmsKeyId") else "FAIL"


def endpoint_state(endpoint, configs):
    names = [endpoint["EndpointConfigName"]]
    pending = (endpoint.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
    if pending:
        names.append(pending)
    states = [config_state(configs[name]) for name in names if name in configs]
    if "FAIL" in states:
        return "FAIL"
    if len(states) < len(names):
        return "NOT_ASSESSED"
    return "PASS" if "PASS" in states else "NOT_APPLICABLE"


def region_rows(account, region, resources):
    """{(check, resource): status} of one account × region that answers everything."""
    prefix = f"arn:aws:bedrock:{region}:{account}:"
    rows = {("aws-bedrock-001", prefix + "model-invocation-logging"): logging_state(resources.get("logging", [])),
            ("aws-bedrock-002", prefix + "guardrails"): guardrails_state(resources.get("guardrails", []))}
    for notebook in resources.get("notebook-instances", []):
        if notebook["NotebookInstanceStatus"] == "Deleting":
            continue
        arn = notebook["NotebookInstanceArn"]
        rows["aws-sagemaker-001", arn] = "PASS" if notebook.get("RootAccess") == "Disabled" else "FAIL"
        rows["aws-sagemaker-002", arn] = "PASS" if notebook.get("DirectInternetAccess") == "Disabled" else "FAIL"
    configs = {config["EndpointConfigName"]: config for config in resources.get("endpoint-configs", [])}
    for endpoint in resources.get("endpoints", []):
        if endpoint["EndpointStatus"] != "Deleting":
            rows["aws-sagemaker-003", endpoint["EndpointArn"]] = endpoint_state(endpoint, configs)
    for check in ("aws-sagemaker-001", "aws-sagemaker-002", "aws-sagemaker-003"):
        if not any(key[0] == check for key in rows):
            rows[check, None] = "NOT_APPLICABLE"
    return rows


def organization_rows(organization):
    """{(account, region, check, resource): status} of all active accounts, as if nothing were refused."""
    rows = {}
    for account in organization["accounts"]:
        if account.get("state", "ACTIVE") != "ACTIVE":
            continue
        for region in account["regions"]:
            for (check, resource), status in region_rows(account["id"], region, account["resources"].get(region, {})).items():
                rows[account["id"], region, check, resource] = status
    return rows


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def key_rows(organization, started_at):
    """{(account, resource): status} of aws-aiiam-001: long-term keys that are active and have no end, or one to come."""
    rows = {}
    for account in organization["accounts"]:
        if account.get("state", "ACTIVE") != "ACTIVE":
            continue
        keys = account["resources"].get("global", {}).get("service-specific-credentials", [])
        for key in keys:
            arn = f"arn:aws:iam::{account['id']}:user/{key['UserName']}/service-specific-credential/{key['ServiceSpecificCredentialId']}"
            ends = key.get("ExpirationDate")
            lives = key["Status"] == "Active" and (ends is None or moment(ends) > moment(started_at))
            rows[account["id"], arn] = "FAIL" if lives else "PASS"
        if not keys:
            rows[account["id"], None] = "NOT_APPLICABLE"
    return rows


def buckets(organization, accounts):
    """{ARN: (owner, is it public)} of those accounts' buckets in regions that are on."""
    return {f"arn:aws:s3:::{bucket['Name']}": (account["id"], bucket.get("PolicyStatus", {}).get("IsPublic", False))
            for account in organization["accounts"] if account["id"] in accounts
            for bucket in account["resources"].get("global", {}).get("buckets", []) if bucket["BucketRegion"] in account["regions"]}


def foreign_feeds(organization, accounts):
    """TC-247 in those accounts: {(reader, region, knowledge base, bucket, owner)} where the bucket is public and another account's."""
    known = buckets(organization, accounts)
    return {(account["id"], region, f"arn:aws:bedrock:{region}:{account['id']}:knowledge-base/{source['knowledgeBaseId']}", arn, known[arn][0])
            for account in organization["accounts"] if account["id"] in accounts for region in account["regions"]
            for source in account["resources"].get(region, {}).get("data-sources", [])
            for arn in [source["dataSourceConfiguration"]["s3Configuration"]["bucketArn"]]
            if arn in known and known[arn][1] and known[arn][0] != account["id"]}
