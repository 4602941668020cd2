"""Whole sweeps against the simulator: verdicts against a second judge, every refusal and fault against the contract's table of reasons,
determinism, coverage, scope, the worker's and the coordinator's renewals."""
import contextlib
import json
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone

import documents
import oracle
from common import ORGSWEEP, ROOT, SIMULATOR, Simulator, Suite, assert_same, cells, orgsweep, stable, sweep

suite = Suite()
CHECKS = ("aws-bedrock-001", "aws-bedrock-002", "aws-sagemaker-001", "aws-sagemaker-002", "aws-sagemaker-003")


def organization_of(place, *arguments):
    done = subprocess.run([str(SIMULATOR), "--print-organization", "--state", str(place.path / "print"), *map(str, arguments)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def quiet(organization):
    """The same organization with every role, every region's service and no fault: all can be read."""
    organization["faults"] = []
    return organization


def rows_of(report):
    return {(r["account"], r["region"], r["check_id"], r["resource"]): r["status"] for r in report["results"]}


def assumable(organization):
    management = organization["organization"]["management_account"]
    return {a["id"] for a in organization["accounts"] if a["id"] == management or any(r["name"] == "OrgsweepAudit" for r in a["roles"])}


@suite.test
def verdicts_equal_the_second_judge(place):
    for seed in (1, 2, 3):
        organization = quiet(organization_of(place, "--seed", seed, "--accounts", 14, "--regions", 5))
        simulator = Simulator(place, organization=organization)
        done = sweep(place, "--all", environment=simulator.environment())
        expected, got = oracle.organization_rows(organization), rows_of(done.report)
        good = assumable(organization)
        expected = {key: status for key, status in expected.items() if key[0] in good}
        got = {key: status for key, status in got.items() if key[0] in good}
        different = {str(key): (expected.get(key), got.get(key)) for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)}
        assert not different, (seed, len(expected), list(different.items())[:12])
        for row in done.report["results"]:
            if row["account"] not in good:
                assert (row["status"], row["reason"]) == ("NOT_ASSESSED", "role-not-assumable"), row
        simulator.process.terminate()


@suite.test
def each_document_makes_its_cell(place):
    report = sweep(place, "--all", environment=Simulator(place, organization=documents.organization()).environment(), timeout=240).report
    assert not documents.differences(report), documents.differences(report)
    malformed = [gap for gap in report["coverage"]["gaps"] if gap["reason"] == "malformed-response"]
    assert malformed and all(gap["error_code"] and gap["message"] and gap["action"] for gap in malformed), malformed[:2]
    vanished = sum(one["kind"] == "vanish" for one in documents.organization()["faults"])
    assert report["summary"]["vanished"] == vanished and report["coverage"]["partial"] == 1, report["summary"]


@suite.test
def same_organization_same_bytes(place):
    simulator = Simulator(place, "--seed", 5, "--accounts", 10, "--regions", 4)
    first = sweep(place, "--all", environment=simulator.environment())
    second = sweep(place, "--all", "--workers", "3", environment=simulator.environment())
    third = sweep(place, "--all", environment=Simulator(place, "--seed", 5, "--accounts", 10, "--regions", 4, "--latency-jitter-ms", 40,
                                                        "--page-size", 1).environment())
    assert_same(first.report, second.report)
    assert_same(first.report, third.report)
    assert first.code == second.code == third.code


@suite.test
def the_store_holds_the_report(place):
    simulator = Simulator(place, "--seed", 6, "--accounts", 6, "--regions", 3)
    first = sweep(place, "--all", environment=simulator.environment())
    again = place.path / "again.json"
    done = orgsweep(place, "report", "--all", "--output", again, "--quiet", environment=place.environment())
    assert done.returncode == 0, done.stderr
    assert again.read_text() == first.text
    done = orgsweep(place, "report", first.report["sweep"]["id"], "--all", "--output", "-", environment=place.environment())
    assert done.stdout == first.text, done.stderr
    done = orgsweep(place, "status", "--json", environment=place.environment())
    assert json.loads(done.stdout)["sweeps"][0]["id"] == first.report["sweep"]["id"]
    done = orgsweep(place, "report", "nothing-like-it", environment=place.environment())
    assert done.returncode == 2 and "nothing-like-it" in done.stderr


@suite.test
def demo_shows_everything(place):
    target = place.path / "demo.json"
    temporary = place.path / "temporary"
    temporary.mkdir()
    done = orgsweep(place, "demo", "--output", target, environment=place.environment(ORGSWEEP_SIMULATOR=SIMULATOR, TMPDIR=temporary))
    assert done.returncode == 4, done.stderr
    assert "simulated" in done.stderr.splitlines()[0], done.stderr
    report = json.loads(target.read_text())
    assert {r["check_id"] for r in report["results"] if r["status"] == "FAIL"} == set(CHECKS)
    assert {c["chain_id"] for c in report["chains"] if c["status"] == "confirmed"} == {"AC-37", "AC-38", "AC-39"}
    assert report["coverage"]["gaps"]
    assert not list(temporary.iterdir())  # the simulator's certificate and key were there


REASON_ROWS = [
    ("denied-identity-explicit", "denied-iam"), ("denied-identity-implicit", "denied-iam"), ("denied-resource-explicit", "denied-iam"),
    ("denied-resource-implicit", "denied-iam"), ("denied-untold", "denied-iam"), ("denied-rcp", "denied-rcp"), ("denied-rcp-implicit", "denied-rcp"),
    ("denied-boundary", "denied-boundary"), ("denied-boundary-implicit", "denied-boundary"), ("denied-endpoint", "denied-endpoint-policy"),
    ("denied-endpoint-implicit", "denied-endpoint-policy"), ("denied-session", "denied-session"), ("denied-session-implicit", "denied-session"),
    ("opt-in-required", "feature-gated"), ("subscription-required", "feature-gated"), ("feature-gated", "feature-gated"),
    ("validation-error", "service-unavailable"), ("garbage", "malformed-response"), ("cut-body", "malformed-response"),
    ("deep", "limit-reached"), ("huge", "limit-reached"), ("proxy-html:403", "service-unavailable"), ("proxy-html:407", "service-unavailable"),
    ("unrecognized-client", "service-unavailable"),
]


@suite.test
def each_refusal_has_its_reason(place):
    """One sweep: each fault in an account of its own, on each of the list calls; SCP wording is looked at in tests of its own."""
    organization = quiet(organization_of(place, "--seed", 11, "--accounts", len(REASON_ROWS) + 6, "--regions", 1))
    good = sorted(assumable(organization) - {organization["organization"]["management_account"]})
    active = [a["id"] for a in organization["accounts"] if a.get("state", "ACTIVE") == "ACTIVE" and a["id"] in good]
    wanted = {}
    for account, (kind, reason) in zip(active, REASON_ROWS):
        name, _, argument = kind.partition(":")
        for operation in ("bedrock:ListGuardrails", "bedrock:GetModelInvocationLoggingConfiguration", "sagemaker:ListNotebookInstances",
                          "sagemaker:ListEndpoints"):
            organization["faults"].append({"account": account, "operation": operation, "kind": kind})
        wanted[account] = reason
    assert len(wanted) == len(REASON_ROWS), (len(wanted), len(REASON_ROWS))
    simulator = Simulator(place, organization=organization)
    done = sweep(place, "--all", environment=simulator.environment(), timeout=240)
    kinds = dict(zip(wanted, [row[0] for row in REASON_ROWS]))
    for row in done.report["results"]:
        if row["account"] in wanted:
            assert (row["status"], row["reason"]) == ("NOT_ASSESSED", wanted[row["account"]]), (kinds[row["account"]], row)
    gaps = [g for g in done.report["coverage"]["gaps"] if g["account"] in wanted]
    assert {g["action"] for g in gaps} == {"bedrock:ListGuardrails", "bedrock:GetModelInvocationLoggingConfiguration",
                                           "sagemaker:ListNotebookInstances", "sagemaker:ListEndpoints"}
    for gap in gaps:
        told = not kinds[gap["account"]].startswith("proxy-html")  # a proxy's page has no error code of AWS
        assert gap["remedy"] and gap["message"] and (gap["error_code"] or not told), gap
        if wanted[gap["account"]].startswith("denied"):
            assert gap["request_id"] and gap["message"], gap
    others = [r for r in done.report["results"] if r["account"] in active and r["account"] not in wanted]
    assert all(r["status"] != "NOT_ASSESSED" for r in others)


@suite.test
def a_service_control_policy_closes_a_service_or_is_a_gap(place):
    organization = quiet(organization_of(place, "--seed", 12, "--accounts", 12, "--regions", 2))
    first, second = [a["id"] for a in organization["accounts"] if a["id"] in assumable(organization) and a.get("state", "ACTIVE") == "ACTIVE"
                     and a["id"] != organization["organization"]["management_account"]][:2]
    policy = "arn:aws:organizations::123456789012:policy/o-abcdefghij/service_control_policy/p-closed"
    organization["faults"] = [{"account": first, "operation": "bedrock:*", "kind": "denied-scp", "policy": policy},
                              {"account": second, "operation": "bedrock:ListGuardrails", "kind": "denied-scp-implicit"}]
    simulator = Simulator(place, organization=organization)
    report = sweep(place, "--all", environment=simulator.environment()).report
    closed = [r for r in report["results"] if r["account"] == first and r["service"] == "bedrock"]
    assert closed and all((r["status"], r["reason"]) == ("NOT_APPLICABLE", "closed-by-scp") for r in closed), closed
    assert any(policy in json.dumps(r["evidence"]) for r in closed), closed[0]
    assert report["coverage"]["closed"] == len(closed)
    partly = [r for r in report["results"] if r["account"] == second and r["check_id"] == "aws-bedrock-002"]
    assert partly and all((r["status"], r["reason"]) == ("NOT_ASSESSED", "denied-scp") for r in partly), partly
    told = orgsweep(place, "sweep", "--output", place.path / "told.json", environment=simulator.environment()).stderr
    regions = ", ".join(sorted({r["region"] for r in closed}))
    assert f"closed by service control policies to the scan role: {len(closed)} cells in {regions}\n" in told, told
    only = sweep(place, "--all", "--checks", "aws-bedrock-001", environment=simulator.environment()).report
    assert all(r["reason"] == "closed-by-scp" for r in only["results"] if r["account"] == first), "the probe set counts, whatever is selected"


@suite.test
def throttling_and_errors_that_pass_leave_no_trace(place):
    arguments = ("--seed", 21, "--accounts", 6, "--regions", 3)
    quiet_run = sweep(place, "--all", environment=Simulator(place, *arguments).environment()).report
    faults = []
    for kind in ("throttle", "server-error:503", "reset", "close-before-answer", "truncated"):
        faults += ["--fault", f"operation=sagemaker:*,kind={kind},times=3,after=2"]
    # once each (a second one on the same call would rightly be a gap), and in a member account: the caller's own keys are not renewed
    faults += ["--fault", "account=690831217485,operation=sagemaker:*,kind=expired-token,times=1,after=2"]
    faults += ["--fault", "operation=bedrock:*,kind=throttle,times=4", "--fault", "operation=organizations:ListAccounts,kind=throttle,times=2",
               "--fault", "operation=sts:AssumeRole,kind=throttle,times=2", "--fault", "operation=sagemaker:List*,kind=empty-page-with-token,times=1"]
    noisy = sweep(place, "--all", environment=Simulator(place, *arguments, *faults).environment())
    assert_same(noisy.report, quiet_run)
    assert noisy.report["summary"]["calls"]["retried"] > 0 and noisy.report["summary"]["calls"]["throttled"] > 0


@suite.test
def a_token_of_the_global_sts_endpoint(place):
    """The caller's own credentials, as the global endpoint gives them: refused in an opt-in region that AWS lists as enabled."""
    organization = quiet(organization_of(place, "--seed", 37, "--accounts", 1, "--regions", 1))
    organization["regions"] = ["us-east-1", "af-south-1", "ap-east-1"]
    management = organization["organization"]["management_account"]
    for account in organization["accounts"]:
        account["regions"] = ["us-east-1", "af-south-1"]
    organization["faults"] += [{"account": management, "region": "af-south-1", "operation": operation, "kind": "unrecognized-client"}
                               for operation in ("bedrock:*", "sagemaker:*", "sts:*")]
    done = sweep(place, "--accounts", "management", environment=Simulator(place, organization=organization).environment(), check=False)
    gaps = done.report["coverage"]["gaps"]
    assert {(gap["region"], gap["reason"]) for gap in gaps} == {("af-south-1", "region-disabled")} and len(gaps) == 5, gaps
    assert all("token of the global STS endpoint" in gap["remedy"] and "AWS_STS_REGIONAL_ENDPOINTS" in gap["remedy"] for gap in gaps), gaps
    # Also when none but enabled regions were asked for.
    done = sweep(place, "--accounts", "management", "--regions", "us-east-1,af-south-1",
                 environment=Simulator(place, organization=organization).environment(), check=False)
    gaps = done.report["coverage"]["gaps"]
    assert len(gaps) == 5 and all("token of the global STS endpoint" in gap["remedy"] for gap in gaps), gaps
    # Where no list says that the region is enabled, it is not.
    organization["faults"] += [{"account": management, "operation": operation, "kind": "denied-untold"}
                               for operation in ("account:ListRegions", "ec2:DescribeRegions")]
    done = sweep(place, "--accounts", "management", "--regions", "us-east-1,af-south-1",
                 environment=Simulator(place, organization=organization).environment(), check=False)
    gaps = [gap for gap in done.report["coverage"]["gaps"] if gap["reason"] == "region-disabled"]
    assert len(gaps) == 5 and not any("global STS" in gap["remedy"] for gap in gaps), gaps


@suite.test
def several_sessions_an_account(place):
    """So many services that one session policy can't name their reads. The simulator allows a session what its policy names, so a call
    signed with the wrong one is refused. The made-up services stand between bedrock and sagemaker, and are nothing that it knows."""
    folder = place.path / "catalogue"
    folder.mkdir()
    rows = {"services": {}, "resources": {}, "checks": {}}
    for number in range(60):
        name = f"made-up-service-with-quite-a-long-name-{number:02}"
        rows["services"][name] = {"protocol": "json-1.1", "target": "MadeUp", "signing_name": name, "endpoint_prefix": name, "endpoint_variable": f"MADE_UP_{number}", "scope": "regional", "rate": 10, "probe": ["ListThings", "ListOthers"],
                                  "operations": {"ListThings": {"result": "Things", "required": ["Things"]}, "ListOthers": {"result": "Others"}}}
        rows["resources"][name] = {"service": name, "list": {"operation": "ListThings"}, "item": {"required": ["Arn"]}, "identity": "{list.Arn}"}
        rows["checks"][f"made-up-{number:02}"] = {
            "title": "Made up", "service": name, "severity": "LOW", "resource": name, "fail_when": {"path": "list.Bad", "equals": True},
            "rationale": "r", "remediation": {"text": "t", "cli": "aws", "terraform": "t", "effort": "low",
                                              "documentation": "https://docs.aws.amazon.com/"}}
    (folder / "made-up.yaml").write_text(json.dumps(rows))
    simulator = Simulator(place, "--seed", 38, "--accounts", 6, "--regions", 2)
    builtin = sweep(place, "--all", environment=simulator.environment(), check=False).report
    entered = simulator.ask("statistics")["by_operation"]["sts:AssumeRole"]
    simulator.ask("reset-statistics", "POST")
    done = sweep(place, "--all", "--catalogue", folder, environment=simulator.environment(), check=False)
    assert done.report, done.err
    states, was = cells(done.report), cells(builtin)
    assert {key: state for key, state in states.items() if not key[2].startswith("made-up")} == was
    assert {"PASS", "FAIL"} <= set(was.values()) and len(states) == 13 * len(was), (set(was.values()), len(states), len(was))
    more = simulator.ask("statistics")["by_operation"]["sts:AssumeRole"]
    assert more >= 2 * entered - 1, (entered, more)  # one of them is refused, and asked once
    assert done.report["summary"]["calls"]["total"] == simulator.ask("statistics")["requests"]
    assert not [gap for gap in done.report["coverage"]["gaps"] if gap["reason"] == "denied-session"]
    # The plan expects them: a call for each of these checks, a list of regions, and the sessions (none where the caller's own keys do).
    for options, sessions in ((("--checks", "aws-bedrock-*"), 1), (("--checks", "made-up-*", "--catalogue", folder), 2)):
        told = orgsweep(place, "sweep", "--plan", "--log-level", "debug", *options, environment=simulator.environment())
        plan = told.stdout
        planned = [tuple(map(int, line)) for line in re.findall(r"regions?, (\d+) cells, about (\d+) calls", plan)]
        assert sorted(calls - cells for cells, calls in planned) == [1] + [1 + sessions] * (len(planned) - 1) and len(planned) > 2, plan
        packed = [int(percent) for percent in re.findall(r"account.session .*packed_policy_percent=(\d+)", told.stderr)]
        assert len(packed) == sessions * (len(planned) - 1) and all(0 < percent <= 100 for percent in packed), told.stderr
    # A session that ends in the middle: all of the account's are renewed. The caller's own keys could not be.
    account = next(row["id"] for row in builtin["accounts"] if row["swept"] and row["name"] != "management")
    short = Simulator(place, "--seed", 38, "--accounts", 6, "--regions", 2, "--fault", f"account={account},operation=sagemaker:*,kind=expired-token,times=1,after=1")
    again = sweep(place, "--all", "--catalogue", folder, environment=short.environment(), check=False)
    assert cells(again.report) == states
    assert short.ask("statistics")["by_operation"]["sts:AssumeRole"] == more + 2


@suite.test
def every_call_counts(place):
    """The workers' and the coordinator's own: what AWS has seen is what the report tells, also when it is made again from the store."""
    simulator = Simulator(place, "--seed", 36, "--accounts", 25, "--regions", 2, "--fault", "operation=sts:AssumeRole,kind=throttle,times=3")
    simulator.ask("reset-statistics", "POST")
    done = sweep(place, environment=simulator.environment(), check=False)
    statistics = simulator.ask("statistics")
    calls = done.report["summary"]["calls"]
    assert calls["total"] == statistics["requests"], (calls, statistics)
    assert calls["throttled"] > 0 and calls["retried"] >= calls["throttled"], calls
    again = orgsweep(place, "report", "--output", "-", environment=place.environment())
    assert again.stdout == done.text


@suite.test
def clock_skew_is_corrected(place):
    """AWS's clock ahead of ours and behind it, by more than a session lasts, and on another day: keys and expiry follow AWS's clock."""
    simulator = Simulator(place, "--seed", 22, "--accounts", 4, "--regions", 2)
    expected = sweep(place, "--all", environment=simulator.environment()).report
    for offset in (1800, -2 * 3600, 3 * 86400, -3 * 86400):
        simulator.ask("clock", "POST", {"offset_seconds": offset})
        assert_same(sweep(place, "--all", environment=simulator.environment()).report, expected)


@suite.test
def sessions_that_expire_are_renewed(place):
    arguments = ("--seed", 23, "--accounts", 5, "--regions", 3)
    expected = sweep(place, "--all", environment=Simulator(place, *arguments).environment()).report
    short = Simulator(place, *arguments, "--session-seconds", 2, "--latency-ms", 700)
    assert_same(sweep(place, "--all", environment=short.environment()).report, expected)


@suite.test
def vanished_and_followed_gone(place):
    organization = quiet(organization_of(place, "--seed", 24, "--accounts", 10, "--regions", 3))
    organization["faults"] = [{"operation": "sagemaker:DescribeNotebookInstance", "kind": "vanish", "times": 2},
                              {"operation": "sagemaker:DescribeEndpointConfig", "kind": "followed-gone", "times": 2}]
    report = sweep(place, "--all", environment=Simulator(place, organization=organization).environment()).report
    assert report["summary"]["vanished"] == 2, report["summary"]
    gone = [r for r in report["results"] if r["reason"] == "not-found"]
    assert gone and all(r["check_id"] == "aws-sagemaker-003" and r["status"] == "NOT_ASSESSED" for r in gone), gone


@suite.test
def regions_that_are_not_enabled(place):
    organization = quiet(organization_of(place, "--seed", 25, "--accounts", 6, "--regions", 4))
    accounts = [a for a in organization["accounts"] if a.get("state", "ACTIVE") == "ACTIVE" and a["id"] in assumable(organization)]
    accounts[-1]["regions"] = accounts[-1]["regions"][:2]
    simulator = Simulator(place, organization=organization)
    report = sweep(place, "--all", environment=simulator.environment()).report
    row = next(a for a in report["accounts"] if a["id"] == accounts[-1]["id"])
    assert row["regions"] == sorted(accounts[-1]["regions"]), row
    assert row["regions_not_enabled"] and not set(row["regions_not_enabled"]) & set(row["regions"]), row
    assert not [r for r in report["results"] if r["account"] == row["id"] and r["region"] not in row["regions"]]
    # nobody may say which regions are enabled: those asked for are tried, and STS tells that they are off
    simulator.ask("faults", "POST", {"faults": [{"operation": "account:*", "kind": "denied-identity-implicit"},
                                                {"operation": "ec2:*", "kind": "unauthorized-operation"}]})
    report = sweep(place, "--all", "--regions", ",".join(organization["regions"]), environment=simulator.environment()).report
    off = [r for r in report["results"] if r["account"] == row["id"] and r["region"] not in accounts[-1]["regions"]]
    assert off and all((r["status"], r["reason"]) == ("NOT_ASSESSED", "region-disabled") for r in off), off[:3]


@suite.test
def organizations_refused_not_in_use_and_broken_off(place):
    refused = Simulator(place, "--seed", 26, "--fault", "operation=organizations:*,kind=denied-identity-implicit")
    done = sweep(place, environment=refused.environment(), check=False)
    assert done.code == 2 and "rganizations" in done.last_line, done.err
    done = sweep(place, "--no-org", environment=refused.environment())
    assert len(done.report["accounts"]) == 1 and done.report["sweep"]["organization_id"] is None
    alone = sweep(place, environment=Simulator(place, "--seed", 26, "--no-organization").environment())
    assert len(alone.report["accounts"]) == 1
    broken = Simulator(place, "--seed", 26, "--accounts", 50, "--regions", 1, "--fault",
                       "operation=organizations:ListAccounts,kind=denied-identity-implicit,after=1")
    done = sweep(place, environment=broken.environment())
    assert done.report["sweep"]["enumeration"] == "incomplete" and done.report["sweep"]["status"] == "partial"
    assert done.report["coverage"]["percent"] < 100 and done.code in (3, 4)
    gap = next(g for g in done.report["coverage"]["gaps"] if g["account"] is None)
    assert gap["check_id"] is None and gap["region"] is None and gap["reason"] == "denied-iam", gap
    assert gap["remedy"] == "grant the action to the caller: organizations:ListAccounts", gap
    names = Simulator(place, "--seed", 26, "--fault", "operation=organizations:ListRoots,kind=denied-identity-implicit", "--hide-paths")
    done = sweep(place, environment=names.environment())
    assert all(a["path"] is None for a in done.report["accounts"]) and done.report["sweep"]["enumeration"] == "complete"


@suite.test
def an_enumeration_that_is_cut_off_is_a_gap(place):
    slow = Simulator(place, "--seed", 26, "--accounts", 50, "--regions", 1, "--fault", "operation=organizations:ListAccounts,kind=slow:60000,after=1")
    report = sweep(place, "--deadline", "6s", environment=slow.environment()).report
    assert (report["sweep"]["enumeration"], report["sweep"]["status"]) == ("incomplete", "cancelled"), report["sweep"]
    assert [g["reason"] for g in report["coverage"]["gaps"] if g["account"] is None] == ["cancelled"], report["coverage"]["gaps"][:2]


@suite.test
def nothing_in_scope_is_exit_2_and_leaves_nothing(place):
    organization = quiet(organization_of(place, "--seed", 29, "--accounts", 4, "--regions", 2))
    for account in organization["accounts"]:
        account["regions"] = ["us-east-1"]
        account.setdefault("roles", []).append({"name": "OrgsweepAudit"})
    simulator = Simulator(place, organization=organization)
    for options in (("--regions", "eu-central-2"), ("--exclude-regions", "us-east-1"), ("--accounts", "nobody-is-called-so")):
        done = sweep(place, *options, environment=simulator.environment(), check=False)
        assert done.code == 2 and done.report is None, (options, done.err)
    assert "no region asked for is enabled" in sweep(place, "--plan", "--regions", "eu-central-2", environment=simulator.environment(), check=False).err
    listed = orgsweep(place, "status", "--json", environment=place.environment()).stdout
    assert json.loads(listed)["sweeps"] == [], listed


@suite.test
def older_and_odd_answers_of_organizations(place):
    arguments = ("--seed", 27, "--accounts", 30, "--regions", 1)
    expected = stable(sweep(place, "--all", environment=Simulator(place, *arguments).environment()).report)
    for odd in ("--hide-paths", "--hide-states", "--empty-page"):
        assert stable(sweep(place, "--all", environment=Simulator(place, *arguments, odd).environment()).report) == expected, odd


@suite.test
def exit_codes_and_filters(place):
    simulator = Simulator(place, "--seed", 28, "--accounts", 5, "--regions", 2)
    whole = sweep(place, environment=simulator.environment())
    findings = whole.report["summary"]["findings"]
    assert findings["HIGH"] and findings["MEDIUM"] and whole.code in (1, 4)
    assert sweep(place, "--fail-on", "none", "--min-coverage", "0", environment=simulator.environment()).code == 0
    assert sweep(place, "--fail-on", "none", environment=simulator.environment()).code in (0, 3)
    only = sweep(place, "--checks", "aws-sagemaker-*", "--exclude-checks", "aws-sagemaker-003", environment=simulator.environment()).report
    assert {r["check_id"] for r in only["results"]} <= {"aws-sagemaker-001", "aws-sagemaker-002"}
    assert {c["chain_id"]: c["reason"] for c in only["chains_not_evaluated"]} == {
        "AC-38": "aws-bedrock-001 not selected", "AC-39": "aws-bedrock-002 not selected"}
    region = sweep(place, "--regions", "us-east-1", environment=simulator.environment()).report
    assert {r["region"] for r in region["results"]} == {"us-east-1"}
    stays = [c for c in whole.report["chains"] if c["chain_id"] == "AC-37" and c["regions"] == ["us-east-1"]]
    assert [c for c in region["chains"] if c["chain_id"] == "AC-37"] == stays, "narrative and severity never depend on filters"
    plan = orgsweep(place, "sweep", "--plan", environment=simulator.environment())
    assert plan.returncode == 0 and "calls" in plan.stdout, plan
    assert str(whole.report["coverage"]["planned"]) in plan.stdout.replace(",", ""), (plan.stdout, whole.report["coverage"])


@suite.test
def doctor_tells_what_to_fix(place):
    done = orgsweep(place, "doctor", environment=Simulator(place, "--demo").environment())
    assert done.returncode == 1 and "To fix" in done.stdout and "management account" in done.stdout, done
    clean = quiet(organization_of(place, "--seed", 29, "--accounts", 4, "--regions", 2))
    for account in clean["accounts"]:
        if not any(role["name"] == "OrgsweepAudit" for role in account["roles"]):
            account["roles"].append({"name": "OrgsweepAudit"})
    simulator = Simulator(place, organization=clean)
    done = orgsweep(place, "doctor", "--json", environment=simulator.environment())
    assert done.returncode == 0 and json.loads(done.stdout)["ok"] is True, done


def on_a_terminal(place, simulator, *arguments):
    """What a person would see, and what the terminal would be told."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([str(ORGSWEEP), *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=place.path,
                               env=simulator.environment(TERM="xterm"))
    place.children.append(process)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the last one that had it open has ended
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    process.wait(20)
    return shown


@suite.test
def hostile_names_on_a_terminal(place):
    faults = [word for operation in ("organizations:*", "sagemaker:ListNotebookInstances", "sagemaker:DescribeNotebookInstance", "bedrock:*")
              for word in ("--fault", f"operation={operation},kind=escapes-in-name")]
    simulator = Simulator(place, "--seed", 30, "--accounts", 5, "--regions", 2, "--latency-ms", 100, *faults)
    for command in (["sweep"], ["doctor"], ["report"], ["status"], ["sweep", "--plan"]):
        shown = on_a_terminal(place, simulator, *command)
        assert b"\x1b[31m\n<script>" not in shown and b"\x1b[31m\r\n<script>" not in shown, (command, shown)
        lines = re.sub(rb"\x1b\[[0-9]*[mK]", b"", shown)
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", lines), (command, shown)
        if command == ["sweep"]:
            assert b"\\x1b[31m\\x0a<script>" in shown and b"\r" in shown, shown


@suite.test
def hostile_names_and_documents(place):
    simulator = Simulator(place, "--seed", 30, "--accounts", 5, "--regions", 2, "--fault", "operation=sagemaker:ListNotebookInstances,kind=escapes-in-name",
                          "--fault", "operation=organizations:ListAccounts,kind=escapes-in-name")
    done = sweep(place, "--all", environment=simulator.environment())
    assert "\x1b" not in done.err and "\x1b" not in done.text
    planned = orgsweep(place, "sweep", "--plan", environment=simulator.environment())
    assert planned.returncode == 0 and "\\x1b" in planned.stdout and "\x1b" not in planned.stdout + planned.stderr, planned.stdout
    done = orgsweep(place, "sweep", environment=simulator.environment())
    assert "\x1b" not in done.stderr
    nul = Simulator(place, "--seed", 30, "--accounts", 5, "--regions", 2, "--fault", "operation=sagemaker:List*,kind=nul-in-name")
    sweep(place, "--all", environment=nul.environment())


@suite.test
def cells_of_a_catalogue_of_one_s_own(place):
    simulator = Simulator(place, "--seed", 31, "--accounts", 8, "--regions", 3)
    done = sweep(place, "--all", "--catalogue", ROOT / "tests" / "catalogue" / "aws", environment=simulator.environment())
    states = cells(done.report)
    checks = {key[2] for key in states}
    assert len(checks) >= 25, sorted(checks)
    assert {key[1] for key in states if key[2] == "aws-aiiam-001"} == {"global"}
    organization_level = [key for key in states if key[2].startswith("aws-aiorg-")]
    assert {key[1] for key in organization_level} == {"global"} and len({key[0] for key in organization_level}) == 1
    assert states and any(status == "FAIL" for key, status in states.items() if key[2] not in CHECKS)


CATALOGUE = ROOT / "tests" / "catalogue" / "aws"


def active(organization):
    return {a["id"] for a in organization["accounts"] if a.get("state", "ACTIVE") == "ACTIVE"} & assumable(organization)


@suite.test
def ages_are_judged_by_the_sweeps_start(place):
    seen = set()
    for seed in (31, 32):
        organization = quiet(organization_of(place, "--seed", seed, "--accounts", 16, "--regions", 1))
        simulator = Simulator(place, organization=organization)
        report = sweep(place, "--all", "--catalogue", CATALOGUE, "--checks", "aws-aiiam-001", environment=simulator.environment()).report
        good = active(organization)
        wanted = {key: status for key, status in oracle.key_rows(organization, report["sweep"]["started_at"]).items() if key[0] in good}
        got = {(r["account"], r["resource"]): r["status"] for r in report["results"] if r["account"] in good}
        assert got == wanted, (seed, got, wanted)
        seen |= {(row["status"], (row["evidence"] or {}).get("ExpirationDate")) for row in report["results"] if row["account"] in good}
        simulator.process.terminate()
    assert {("FAIL", "never"), ("FAIL", "2095-01-02T03:04:05Z"), ("PASS", "2020-02-01T03:04:05Z"), ("NOT_APPLICABLE", None)} == seen, seen


@suite.test
def a_clock_of_the_sweep_and_not_of_the_worker(place):
    """A key that ends while the sweep runs is judged by the sweep's start, however late its answer comes."""
    organization = quiet(organization_of(place, "--seed", 31, "--accounts", 2, "--regions", 1))
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=4)
    member = next(a for a in organization["accounts"] if a["id"] != organization["organization"]["management_account"])
    member["roles"], member["state"] = [{"name": "OrgsweepAudit"}], "ACTIVE"
    member["resources"].setdefault("global", {})["service-specific-credentials"] = [
        {"UserName": "u", "ServiceSpecificCredentialId": "ACCAENDSSOON", "Status": "Active", "ServiceName": "bedrock.amazonaws.com",
         "CreateDate": "2020-01-02T03:04:05Z", "ExpirationDate": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}]
    organization["faults"] = [{"operation": "iam:ListServiceSpecificCredentials", "kind": "slow:6000"}]
    simulator = Simulator(place, organization=organization)
    report = sweep(place, "--all", "--catalogue", CATALOGUE, "--checks", "aws-aiiam-001", environment=simulator.environment()).report
    row = next(r for r in report["results"] if r["account"] == member["id"])
    assert oracle.moment(report["sweep"]["started_at"]) < ends < oracle.moment(report["sweep"]["finished_at"]), report["sweep"]
    assert row["status"] == "FAIL" and row["evidence"]["ExpirationDate"] == ends.strftime("%Y-%m-%dT%H:%M:%SZ"), row


def feeds(report, status):
    return {(c["account"], *c["regions"], *sorted(c["resources"], key=lambda arn: ":s3:" in arn)) for c in report["chains"]
            if c["chain_id"] == "TC-247" and c["status"] == status}


@suite.test
def a_chain_across_accounts(place):
    arguments = ("--all", "--catalogue", CATALOGUE, "--checks", "aws-bedrock-040,test-s3-001")
    organization = quiet(organization_of(place, "--seed", 55, "--accounts", 16, "--regions", 3))
    wanted = oracle.foreign_feeds(organization, active(organization))
    assert len(wanted) > 1, wanted
    simulator = Simulator(place, organization=organization)
    whole = sweep(place, *arguments, environment=simulator.environment()).report
    assert feeds(whole, "confirmed") == {row[:4] for row in wanted}, (feeds(whole, "confirmed"), wanted)
    owners = [row[4] for row in wanted]
    reader, region, base, bucket, owner = next(row for row in sorted(wanted) if owners.count(row[4]) > 1)
    chain = next(c for c in whole["chains"] if c["chain_id"] == "TC-247" and c["resources"] == sorted([base, bucket]) and c["account"] == reader)
    assert {"basis": "resource", "severity": "CRITICAL", "regions": [region], "regions_not_assessed": []}.items() <= chain.items(), chain
    assert chain["findings"] == [{"check_id": "aws-bedrock-040", "account": reader, "region": region, "resource": base, "status": "FAIL"}], chain
    assert owner in chain["narrative"] and reader in chain["narrative"] and chain["fix"] == [{"check_id": "aws-bedrock-040", "resource": base}], chain
    again = orgsweep(place, "report", "--output", "-", "--all", environment=place.environment())
    assert json.loads(again.stdout)["chains"] == whole["chains"], again.stderr
    # the owner does not let us see whether its bucket is public; but the same knowledge base reads a public bucket of its own account too
    own = f"ml-data-{reader}"
    resources = next(a["resources"] for a in organization["accounts"] if a["id"] == reader)
    source = next(s for s in resources[region]["data-sources"] if base.endswith("/" + s["knowledgeBaseId"]))
    resources[region]["data-sources"].append(dict(source, dataSourceId="OWNSOURCE1", dataSourceConfiguration={
        "type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::" + own}}))
    next(b for b in resources["global"]["buckets"] if b["Name"] == own)["PolicyStatus"] = {"IsPublic": True}
    wanted = oracle.foreign_feeds(organization, active(organization))
    simulator = Simulator(place, organization=organization)
    simulator.ask("faults", "POST", {"faults": [{"account": owner, "operation": "s3:GetBucketPolicyStatus", "kind": "denied-identity-implicit"}]})
    report = sweep(place, *arguments, environment=simulator.environment()).report
    of_owner = {row[:4] for row in wanted if row[4] == owner}
    assert feeds(report, "confirmed") == {row[:4] for row in wanted} - of_owner, report["chains"]
    assert feeds(report, "unverified") == {(reader, region, base, bucket)}, report["chains"]
    status = {r["resource"]: (r["status"], r["reason"]) for r in report["results"] if r["check_id"] == "aws-bedrock-040"}
    assert status[base] == ("FAIL", None), status[base]
    # what reads nothing else was not found guilty of anything: it is a gap, and no chain
    assert {status[row[2]] for row in wanted if row[4] == owner and row[2] != base} <= {("NOT_ASSESSED", "denied-iam")}, status
    # the bucket is closed: neither
    for account in organization["accounts"]:
        for row in account["resources"].get("global", {}).get("buckets", []):
            row.update(PolicyStatus={"IsPublic": False})
    report = sweep(place, *arguments, environment=Simulator(place, organization=organization).environment()).report
    assert not [c for c in report["chains"] if c["chain_id"] == "TC-247"], report["chains"]


@suite.test
def a_function_outside_of_the_organization(place):
    """A relation to a part of what was read (an ARN's account), joined with the organization's own accounts."""
    organization = quiet(organization_of(place, "--seed", 55, "--accounts", 12, "--regions", 2))
    groups = [(account["id"], region, group) for account in organization["accounts"] if account["id"] in active(organization)
              for region in account["regions"] for group in account["resources"].get(region, {}).get("agent-action-groups", [])
              if group["agentVersion"] == "DRAFT" and "actionGroupExecutor" in group]
    assert len(groups) > 2, groups
    account, region, outside = groups[0]
    outside["actionGroupExecutor"]["lambda"] = f"arn:aws:lambda:{region}:999999999999:function:tools"
    simulator = Simulator(place, organization=organization)
    report = sweep(place, "--all", "--catalogue", CATALOGUE, "--checks", "aws-bedrock-028", environment=simulator.environment()).report
    good = active(organization)
    failed = [(r["account"], r["region"], r["resource"], r["evidence"]) for r in report["results"] if r["status"] == "FAIL"]
    assert failed == [(account, region, f"arn:aws:bedrock:{region}:{account}:agent/{outside['agentId']}",
                       {"agent.function-account": "999999999999"})], failed
    passed = {(r["account"], r["region"], r["resource"].rpartition("/")[2]) for r in report["results"] if r["status"] == "PASS"}
    assert passed == {(a, r, group["agentId"]) for a, r, group in groups[1:] if a in good}, (passed, len(groups))


suite.main()
