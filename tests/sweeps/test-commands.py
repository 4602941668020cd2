"""The command line: options, hints, help, exit codes, catalogue commands. No AWS at all."""
import json

from common import ORGSWEEP, ROOT, Suite, orgsweep, sweep

suite = Suite()


def run(place, *arguments, **environment):
    return orgsweep(place, *arguments, environment=place.environment(**environment))


@suite.test
def version_and_help(place):
    done = run(place, "--version")
    assert done.returncode == 0 and done.stdout.startswith("orgsweep "), done
    done = run(place, "--help")
    assert done.returncode == 0 and "orgsweep demo" in done.stdout
    for command in ("sweep", "report", "checks", "chains", "status", "doctor", "demo"):
        done = run(place, command, "--help")
        assert done.returncode == 0 and "Examples:" in done.stdout and "Options:" in done.stdout, (command, done)
    for command, told in (("sweep", True), ("serve", True), ("doctor", True), ("keys", False)):
        assert ("  ORGSWEEP_STORE_WORKER_USER " in run(place, command, "--help").stdout) is told, command


@suite.test
def hints_name_the_nearest(place):
    rows = [
        (["sweeep"], "orgsweep sweep"), (["sweep", "--region", "us-east-1"], "--regions"), (["sweep", "--acounts", "x"], "--accounts"),
        (["sweep", "--out", "x.json"], "--output"), (["sweep", "--checks", "aws-bedrok-001"], "aws-bedrock-001"),
        (["sweep", "--output", "json"], "report.json"), (["sweep", "--output", "report.xyz"], ".xyz"), (["sweep", "--output", "-", "--output", "-"], "twice"),
        (["checks", "show", "zzz"], "aws-"), (["sweep", "--checks", "nothing-like-it-at-all"], "aws-"), (["sweep", "--workers", "many"], "many"),
        (["sweep", "--fail-on", "hihg"], "high"), (["sweep", "--min-coverage", "120"], "percent"), (["sweep", "--deadline", "soon"], "15m"),
        (["sweep", "-q"], "written out"), (["sweep", "--quiet=1"], "no value"), (["sweep", "extra"], "extra"), (["sweep", "--store", "http://x"], "redis://"),
        (["checks", "show", "aws-bedrock-01"], "aws-bedrock-001"), (["chains", "show", "AC-3"], "AC-3"), (["report", "a", "b"], "b"),
        (["sweep", "--output"], "--output FILE"), (["sweep", "--regions", "us-east-1", "--exclude-regions", "us-*"], "nothing is in scope"),
    ]
    for words, hint in rows:
        done = run(place, *words, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="x" * 40, AWS_ENDPOINT_URL="https://127.0.0.1:9")
        assert done.returncode == 2, (words, done)
        assert hint in done.stderr, (words, hint, done.stderr)
        if words[0] == "sweep":
            assert done.stderr.rstrip().splitlines()[-1].startswith("exit 2: "), done.stderr


@suite.test
def options_from_environment_and_file(place):
    configuration = place.path / "orgsweep.yaml"
    configuration.write_text("workers: 2\nregions: [us-east-1]\nfail_on: hihg\n")
    done = run(place, "sweep", "--config", configuration)
    assert done.returncode == 2 and "orgsweep.yaml:3" in done.stderr and "high" in done.stderr, done.stderr
    configuration.write_text("wrokers: 2\n")
    done = run(place, "sweep", "--config", configuration)
    assert done.returncode == 2 and "orgsweep.yaml:1" in done.stderr and "did you mean workers" in done.stderr, done.stderr
    configuration.write_text("endpoints: {bedrok: {us-east-1: https://x}}\n")
    done = run(place, "sweep", "--config", configuration)
    assert done.returncode == 2 and "did you mean bedrock" in done.stderr, done.stderr
    configuration.write_text("roles: [{acounts: x, role_name: y}]\n")
    done = run(place, "sweep", "--config", configuration)
    assert done.returncode == 2 and "did you mean accounts" in done.stderr, done.stderr
    configuration.write_text("roles: [{accounts: x}]\n")
    done = run(place, "sweep", "--config", configuration)
    assert done.returncode == 2 and "role_name is missing" in done.stderr, done.stderr
    done = run(place, "sweep", "--config", place.path / "none.yaml")
    assert done.returncode == 2 and "none.yaml" in done.stderr
    done = run(place, "sweep", ORGSWEEP_MIN_COVERAGE="lots")
    assert done.returncode == 2 and "ORGSWEEP_MIN_COVERAGE" in done.stderr, done.stderr
    done = run(place, "sweep", ORGSWEEP_CHECKS="aws-nothing-*")
    assert done.returncode == 2 and "aws-nothing-*" in done.stderr


@suite.test
def catalogue_commands(place):
    done = run(place, "checks", "list", "--json")
    checks = {row["id"]: row for row in json.loads(done.stdout)["checks"]}
    expected = {"aws-bedrock-001": ("HIGH", "Model invocation logging disabled"), "aws-bedrock-002": ("MEDIUM", "Guardrails not configured"),
                "aws-sagemaker-001": ("HIGH", "Notebook instance root access enabled"),
                "aws-sagemaker-002": ("HIGH", "Notebook instance direct internet access"),
                "aws-sagemaker-003": ("MEDIUM", "SageMaker endpoint encryption disabled")}
    for name, (severity, title) in expected.items():
        assert (checks[name]["severity"], checks[name]["title"]) == (severity, title), checks[name]
        assert checks[name]["actions"], name
        shown = json.loads(run(place, "checks", "show", name, "--json").stdout)["document"]
        for member in ("rationale", "remediation", "compliance", "aliases"):
            assert shown.get(member), (name, member)
        assert all(row.get("standing") in ("stated", "proposed") for row in shown["compliance"]), name
        assert all(row.get("source") for row in shown["compliance"] if row["standing"] == "stated"), name
        frameworks = {row["framework"].split(" (")[0] for row in shown["compliance"]}
        assert frameworks == {"OWASP LLM Top 10 2025", "MITRE ATLAS", "NIST AI RMF", "ISO/IEC 42001:2023", "SOC 2", "ISO/IEC 27001:2022"}, (name, frameworks)
        for member in ("cli", "terraform", "effort", "documentation"):
            assert shown["remediation"].get(member), (name, member)
        text = run(place, "checks", "show", name).stdout
        assert text.startswith(name + "\n") and all(line.startswith("  ") for line in text.splitlines()[1:]), text
        assert "\n      resource \"aws_" in text, text
    chains = {row["id"]: row for row in json.loads(run(place, "chains", "list", "--json").stdout)["chains"]}
    assert [chains[c]["severity"] for c in ("AC-37", "AC-38", "AC-39")] == ["CRITICAL", "HIGH", "HIGH"]
    assert chains["AC-37"]["name"] == "AI Model Theft via SageMaker"
    assert chains["AC-38"]["name"] == "LLMjacking - Unauthorized Model Usage"
    assert chains["AC-39"]["name"] == "AI Data Poisoning via Unguarded Pipeline"


@suite.test
def lint_names_file_line_and_nearest(place):
    folder = place.path / "mine"
    folder.mkdir()
    done = run(place, "checks", "lint", folder)
    assert done.returncode == 2 and "no .yaml" in done.stderr
    check = """checks:
  my-check-001:
    title: Mine
    service: sagemaker
    severity: HIGH
    resource: sagemaker-notebok-instance
    rationale: Why.
    fail_when: {path: describe.RootAccess, equals: Enabled}
    remediation: {text: Do., cli: aws, terraform: tf, effort: low, documentation: "https://docs.aws.amazon.com/"}
"""
    (folder / "one.yaml").write_text(check)
    done = run(place, "checks", "lint", folder)
    assert done.returncode == 2 and "one.yaml:6" in done.stdout and "sagemaker-notebook-instance" in done.stdout, done.stdout
    for old, new, line, nearest in (("title:", "titel:", 3, "title"), ("sagemaker-notebok", "sagemaker-notebook", 0, ""),
                                    ("equals:", "eqals:", 8, "equals"), ("HIGH", "HIHG", 5, "HIGH")):
        (folder / "one.yaml").write_text(check.replace("notebok", "notebook").replace(old, new))
        done = run(place, "checks", "lint", folder)
        assert (done.returncode == 2) == bool(line) and f"one.yaml:{line}" * bool(line) in done.stdout and nearest in done.stdout, (old, done.stdout)
    done = run(place, "checks", "lint", ROOT / "tests" / "catalogue")
    assert done.returncode == 0, done.stdout


@suite.test
def no_credentials_is_exit_2_and_says_what_was_tried(place):
    done = sweep(place, environment=place.environment(), check=False)
    assert done.code == 2 and "credential" in done.last_line.lower(), done.err
    assert done.report is None


@suite.test
def unreachable_store_is_exit_2(place):
    done = sweep(place, "--store", "redis://127.0.0.1:1", check=False, environment=place.environment(
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="x" * 40, AWS_ENDPOINT_URL="http://127.0.0.1:9"), timeout=60)
    assert done.code == 2, done.err
    done = orgsweep(place, "report", "--store", "redis://127.0.0.1:1", environment=place.environment(), timeout=60)
    assert done.returncode == 2 and "store" in done.stderr, done.stderr


@suite.test
def output_in_a_folder_that_is_not_there(place):
    done = orgsweep(place, "sweep", "--output", "/nowhere/at/all/report.json", environment=place.environment())
    assert done.returncode == 2 and "/nowhere/at/all/report.json" in done.stderr


suite.main()
