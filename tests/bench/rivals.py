"""The tools beside orgsweep: each in an environment of its own, as their pins contradict each other, against the same simulator."""
import pathlib
import re
import shutil
import subprocess
import sys

import measure

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".environment-bench"
PROWLER_CHECKS = ("bedrock_model_invocation_logging_enabled", "bedrock_guardrails_configured",
                  "sagemaker_notebook_instance_root_access_disabled",
                  "sagemaker_notebook_instance_without_direct_internet_access_configured",
                  "sagemaker_endpoint_config_kms_encryption_enabled")
CLOUD_AUDIT_CHECKS = ("aws-bedrock-001", "aws-bedrock-002", "aws-sagemaker-001", "aws-sagemaker-002", "aws-sagemaker-003")


def environment_of(package):
    """The folder of an environment with that package as requirements.txt pins it."""
    wanted = next(line.strip() for line in (HERE / "requirements.txt").read_text().splitlines() if line.startswith(package + "=="))
    folder = ENVIRONMENTS / package
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "-q", "--disable-pip-version-check", wanted], check=True)
        stamp.write_text(wanted)
    return folder


def boto3(simulator, home, accounts, regions):
    """The caller's choice of accounts and regions: 16 threads over accounts."""
    result = measure.run([environment_of("boto3") / "bin/python", HERE / "rival-boto3.py", "--accounts", accounts, "--regions", ",".join(regions)],
                         simulator.environment(home), simulator, home)
    if result["code"] or not result["operations"].get("sagemaker:ListEndpoints"):
        raise SystemExit(f"the boto3 rival failed: {result['errors'][-2000:]}")
    return result


def prowler(simulator, home, regions):
    """Its five checks of the same subjects, in the caller's account."""
    binary = environment_of("prowler") / "bin/prowler"
    return measure.run([binary, "aws", "-c", *PROWLER_CHECKS, "-f", *regions, "--no-banner", "-M", "json-ocsf", "-o", home / "prowler"],
                       simulator.environment(home), simulator, home)


def cloud_audit(simulator, home, regions):
    """Its five checks of the same ids. It selects by leaving out, so the rest is left out, by id and by the name of its function."""
    folder = environment_of("cloud-audit")
    sources = "".join(path.read_text() for path in folder.glob("lib/*/site-packages/cloud_audit/providers/aws/checks/*.py"))
    others = set(re.findall(r"aws-[a-z0-9_]+-\d{3}", sources)) | set(re.findall(r"def (check_\w+)", sources))
    configuration = home / "cloud-audit.yml"
    configuration.write_text("exclude_checks:\n" + "".join(f"  - {name}\n" for name in sorted(others - set(CLOUD_AUDIT_CHECKS))))
    return measure.run([folder / "bin/cloud-audit", "scan", "--config", configuration, "--regions", ",".join(regions), "--format", "json",
                        "--output", home / "cloud-audit.json"], simulator.environment(home), simulator, home)


def of_one_account(simulator, home, regions):
    """Rows of (tool, result), and lines about what did not work."""
    rows, remarks = [], []
    for name, call in (("Prowler 5.46.0, five checks", prowler), ("cloud-audit 2.5.0, five checks", cloud_audit)):
        result = call(simulator, home, regions)
        if result["operations"].get("sagemaker:ListNotebookInstances"):
            rows.append((name, result))
        else:
            remarks.append(f"{name}: made {result['calls']} calls and none to SageMaker, exit status {result['code']}: "
                           f"{result['errors'].strip()[-300:]}")
    return rows, remarks
