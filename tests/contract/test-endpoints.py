#!/usr/bin/env python3
"""Holds our partitions and endpoints against botocore's data and resolver: test-endpoints.py BUILD-FOLDER."""
import os
import subprocess
import sys

try:
    from botocore.endpoint_provider import EndpointProvider  # noqa: F401 (told apart from old versions)
    from botocore.endpoint_provider import RuleSet
    from botocore.loaders import Loader
except ImportError:
    print("botocore is not installed, or older than its endpoint rules")
    sys.exit(77)

# botocore's service → our scope. What AWS's rules bind to one region of the partition is global here.
SERVICES = {
    "organizations": "global", "account": "global", "iam": "global", "ce": "global",
    **{name: "regional" for name in (
        "sts ec2 s3 sagemaker bedrock bedrock-agent bedrock-agentcore-control bedrock-data-automation kms cloudtrail config logs "
        "guardduty securityhub macie2 accessanalyzer lambda ecr service-quotas cloudwatch events sns sqs dynamodb secretsmanager "
        "ssm rds ram opensearch opensearchserverless s3vectors qbusiness comprehend rekognition forecast personalize textract "
        "transcribe polly lexv2-models kendra frauddetector translate healthlake bedrock-runtime bedrock-agent-runtime inspector2 "
        "sso sso-oidc cloudformation codebuild elbv2 autoscaling application-autoscaling glue athena").split()},
}


class Cases:
    def __init__(self):
        self.loader = Loader()
        self.data = self.loader.load_data("partitions")
        self.lines, self.wanted = [], []

    def regions(self, partition):
        return sorted(name for name in partition["regions"] if not name.endswith("-global"))

    def partitions(self):
        for partition in self.data["partitions"]:
            out = partition["outputs"]
            self.lines.append("partition " + partition["id"])
            self.wanted.append(" ".join([out["dnsSuffix"], out["dualStackDnsSuffix"], out["implicitGlobalRegion"]] +
                                        self.regions(partition)))

    def resolve(self, rules, region, fips, dual):
        values = {"Region": region, "UseFIPS": fips, "UseDualStack": dual}
        inputs = {}
        for name, parameter in rules.parameters.items():
            value = values.get(name, parameter.default)
            if value is not None:
                inputs[name] = value
        found = rules.evaluate(inputs)
        if hasattr(found, "error"):
            return "none"
        scheme = (found.properties.get("authSchemes") or [{}])[0]
        return found.url + " " + scheme.get("signingRegion", region)

    def service(self, name, scope):
        prefix = self.loader.load_service_model(name, "service-2")["metadata"]["endpointPrefix"]
        rules = RuleSet(**self.loader.load_service_model(name, "endpoint-rule-set-1"), partitions=self.data)
        for partition in self.data["partitions"]:
            for region in self.regions(partition):
                for fips, dual in ((0, 0), (1, 0), (0, 1), (1, 1)):
                    # We name a global service by the partition's own region, whatever region the cell has.
                    client = partition["outputs"]["implicitGlobalRegion"] if scope == "global" else region
                    try:
                        want = self.resolve(rules, client, bool(fips), bool(dual))
                    except Exception as problem:  # an error rule raises
                        want = "none" if "does not support" in str(problem) else "error " + str(problem)
                    self.lines.append(" ".join([partition["id"], name, prefix, scope, region, str(fips), str(dual)]))
                    self.wanted.append(want)


def main():
    cases = Cases()
    cases.partitions()
    left_out = []
    for name, scope in SERVICES.items():
        if name in cases.loader.list_available_services("endpoint-rule-set-1"):
            cases.service(name, scope)
        else:
            left_out.append(name)
    answer = subprocess.run([os.path.join(sys.argv[1], "tests/contract/endpoint-probe")], input="\n".join(cases.lines) + "\n", capture_output=True, text=True, check=True)
    said = answer.stdout.splitlines()
    wrong = [(line, want, got) for line, want, got in zip(cases.lines, cases.wanted, said) if want != got]
    for line, want, got in wrong[:20]:
        print("%s\n  botocore: %s\n  ours:     %s" % (line, want, got))
    print("%d cases, %d differ; not in this botocore: %s" % (len(cases.lines), len(wrong), ", ".join(left_out) or "none"))
    return 1 if wrong or len(said) != len(cases.lines) else 0


if __name__ == "__main__":
    sys.exit(main())
