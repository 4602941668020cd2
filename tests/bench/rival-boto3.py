"""The rival: boto3 as well as it can be used by hand. One process, 16 threads over accounts, one session an account, one shared model
loader, keep-alive pools, a CA file with one root; the same calls as orgsweep's five checks."""
import argparse
import concurrent.futures

import boto3
import botocore.config
import botocore.loaders
import botocore.session

THREADS = 16
LOADER = botocore.loaders.Loader()
CONFIG = botocore.config.Config(max_pool_connections=THREADS, retries={"mode": "standard", "max_attempts": 8}, parameter_validation=False)


def session(credentials=None):
    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    if credentials:
        core.set_credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    return boto3.session.Session(botocore_session=core)


def paged(client, operation, result):
    return [item for page in client.get_paginator(operation).paginate() for item in page[result]]


def sweep_region(account, region):
    bedrock = account.client("bedrock", region_name=region, config=CONFIG)
    sagemaker = account.client("sagemaker", region_name=region, config=CONFIG)
    found = [bedrock.get_model_invocation_logging_configuration(), paged(bedrock, "list_guardrails", "guardrails")]
    for notebook in paged(sagemaker, "list_notebook_instances", "NotebookInstances"):
        try:
            found.append(sagemaker.describe_notebook_instance(NotebookInstanceName=notebook["NotebookInstanceName"]))
        except sagemaker.exceptions.ClientError:
            continue
    for endpoint in paged(sagemaker, "list_endpoints", "Endpoints"):
        try:
            described = sagemaker.describe_endpoint(EndpointName=endpoint["EndpointName"])
            found.append(sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"]))
        except sagemaker.exceptions.ClientError:
            continue
    return len(found)


def sweep_account(sts, account, regions):
    try:
        role = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrgsweepAudit", RoleSessionName="rival")
    except sts.exceptions.ClientError:
        return 0
    own = session(role["Credentials"])
    count = 0
    for region in regions:
        try:
            count += sweep_region(own, region)
        except own.client("sts", region_name=region, config=CONFIG).exceptions.ClientError:
            continue
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--regions", required=True)
    options = parser.parse_args()
    own = session()
    accounts = [row["Id"] for row in paged(own.client("organizations", region_name="us-east-1", config=CONFIG), "list_accounts", "Accounts")
                if row.get("State", row["Status"]) == "ACTIVE"][:options.accounts]
    sts = own.client("sts", region_name="us-east-1", config=CONFIG)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        print(sum(pool.map(lambda account: sweep_account(sts, account, options.regions.split(",")), accounts)))


if __name__ == "__main__":
    main()
