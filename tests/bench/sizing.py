"""What an organization of some size needs: computes docs/sizing.md from the table that scale.py has measured.

usage: sizing.py docs/scale.md [--accounts 100 1000 10000] [--regions 17] [--keep 10] [--check docs/sizing.md] [--output docs/sizing.md]

Each figure is a row of FIGURES with its formula in words and the same as a function; what is measured is read from the table by its name.
--check says whether a file still is what would be written.
"""
import argparse
import math
import pathlib
import re
import sys

# Not measured but set in the code or told by AWS: (value, what it is)
GIVEN = {
    "accounts a page": (20, "ListAccounts gives at most 20 accounts a page"),
    "pages a second": (5, "half of the 10 calls/s that `coordinator/aws-calls.c` takes for Organizations' limit (AWS publishes none)"),
    "roles a second": (300, "half of AWS's 600 STS calls/s of one calling account and region (`coordinator/aws-calls.c`)"),
    "calls in flight": (512, "`SWP_LIMIT_CALLS_IN_FLIGHT` of one worker"),
    "latency": (0.1, "seconds of one AWS answer; an assumption: it depends on where the worker runs"),
    "fork": (1.5, "room for Redis' copy while it rewrites its append-only file, and for fragmentation"),
}
# name here: (row of the table, divisor into the unit that is reckoned with)
MEASURED = {
    "calls a job": ("calls per job, real sweep", 1),
    "worker s a call": ("worker CPU per call", 1e6),
    "coordinator s a job": ("coordinator CPU per job, real sweep", 1e6),
    "redis s a job": ("Redis CPU per job, real sweep", 1e6),
    "bytes a FAIL": ("bytes in Redis per FAIL result", 1),
    "bytes a PASS": ("bytes in Redis per PASS result", 1),
    "bytes a job": ("real sweep: bytes in Redis per job", 1),
    "bytes an account": ("real sweep: bytes in Redis per account beside its jobs", 1),
    "fails a job": ("real sweep: FAIL results per job", 1),
    "passes a job": ("real sweep: PASS results per job", 1),
}
PEAK = re.compile(r"^([\d,]+) × \d+: coordinator peak memory$")


def read_table(path):
    rows = {}
    for line in path.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 2 and re.fullmatch(r"-?[\d,]+(\.\d+)?", cells[1]):
            rows[cells[0]] = float(cells[1].replace(",", ""))
    return rows


def model_of(path):
    rows = read_table(path)
    missing = [row for row, _ in MEASURED.values() if row not in rows]
    if missing:
        raise SystemExit(f"{path} has no rows {missing}: run scale.py with all parts")
    values = {name: rows[row] / divisor for name, (row, divisor) in MEASURED.items()}
    values.update({name: value for name, (value, _) in GIVEN.items()})
    peaks = sorted((int(found.group(1).replace(",", "")), value) for row, value in rows.items() if (found := PEAK.match(row)))
    if not peaks:
        raise SystemExit(f"{path} has no peak memory of a coordinator")
    (small, low), (large, high) = peaks[0], peaks[-1]
    values["MiB an account"] = max(0.0, (high - low) / (large - small)) if large > small else 0.0
    values["MiB at first"] = low - small * values["MiB an account"]
    return values


# --- the formulas: name, in words, function of (model, accounts, regions, keep, workers), how it is shown ---

def jobs(m, accounts, regions, keep, workers):
    return accounts * regions


def calls(m, accounts, regions, keep, workers):
    """The measured calls a job hold those that enter the account too, spread over the regions it was measured with."""
    return jobs(m, accounts, regions, keep, workers) * m["calls a job"] + accounts / m["accounts a page"]


def listing(m, accounts, regions, keep, workers):
    return accounts / m["accounts a page"] / m["pages a second"]


def entering(m, accounts, regions, keep, workers):
    return accounts / m["roles a second"]


def working(m, accounts, regions, keep, workers):
    return calls(m, accounts, regions, keep, workers) * m["worker s a call"] / workers


def waiting(m, accounts, regions, keep, workers):
    return calls(m, accounts, regions, keep, workers) * m["latency"] / (m["calls in flight"] * workers)


def coordinating(m, accounts, regions, keep, workers):
    return jobs(m, accounts, regions, keep, workers) * m["coordinator s a job"]


def storing(m, accounts, regions, keep, workers):
    return jobs(m, accounts, regions, keep, workers) * m["redis s a job"]


BOUNDS = {"ListAccounts": listing, "AssumeRole": entering, "workers' processors": working, "waiting for AWS": waiting, "coordinator": coordinating,
          "Redis": storing}


def seconds(*arguments):
    return max(bound(*arguments) for bound in BOUNDS.values())


def bound_by(*arguments):
    return max(BOUNDS, key=lambda name: BOUNDS[name](*arguments))


def workers_that_pay(m, accounts, regions, keep):
    """More would not make it shorter: what no worker changes takes as long."""
    fixed = max(bound(m, accounts, regions, keep, 1) for bound in (listing, entering, coordinating, storing))
    return max(1, math.ceil(max(working(m, accounts, regions, keep, 1), waiting(m, accounts, regions, keep, 1)) / fixed))


def sweep_bytes(m, accounts, regions, keep, workers):
    return jobs(m, accounts, regions, keep, workers) * m["bytes a job"] + accounts * m["bytes an account"]


def redis_bytes(m, accounts, regions, keep, workers):
    return (keep + 1) * sweep_bytes(m, accounts, regions, keep, workers) * m["fork"]


def coordinator_mib(m, accounts, regions, keep, workers):
    return m["MiB at first"] + accounts * m["MiB an account"]


def hosts(m, accounts, regions, keep, workers):
    """Two cores a host, of which the first host gives one to the coordinator and Redis."""
    return max(1, math.ceil((workers + 1) / 2))


def large(value):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f} bytes"


def duration(value):
    return f"{value / 60:,.1f} min" if value >= 60 else f"{value:,.1f} s"


FIGURES = [
    ("jobs", "accounts × regions", jobs, "{:,.0f}".format),
    ("AWS calls", "jobs × *calls a job* + accounts ÷ *accounts a page*", calls, "{:,.0f}".format),
    ("listing the accounts", "accounts ÷ *accounts a page* ÷ *pages a second*", listing, duration),
    ("entering them", "accounts ÷ *roles a second*", entering, duration),
    ("workers' processors", "calls × *worker s a call* ÷ workers", working, duration),
    ("waiting for AWS", "calls × *latency* ÷ (*calls in flight* × workers)", waiting, duration),
    ("the coordinator's processor", "jobs × *coordinator s a job*", coordinating, duration),
    ("Redis' processor", "jobs × *redis s a job*", storing, duration),
    ("**a sweep takes at least**", "the largest of the six above", seconds, duration),
    ("which is", "its name", bound_by, str),
    ("**hosts of two cores**", "⌈(workers + 1) ÷ 2⌉: one core for the coordinator and Redis", hosts, "{:,}".format),
    ("Redis, one sweep", "jobs × *bytes a job* + accounts × *bytes an account*", sweep_bytes, large),
    ("**Redis memory (maxmemory)**", "(*keep* + 1) × one sweep × *fork*", redis_bytes, large),
    ("**coordinator memory**", "*MiB at first* + accounts × *MiB an account*", coordinator_mib, "{:,.0f} MiB".format),
]


def text(model, options):
    yield ("# How much does an organization of some size need?\n\nFor the person who orders hosts. Computed by `tests/bench/sizing.py` from what "
           "[scale.md](scale.md) has measured; none of these numbers is typed. They hold for the catalogue, the seeded organization and the machine of "
           "that table: a catalogue with more checks makes more calls a job, a faster core takes less time for each.\n")
    yield (f"{options.regions} regions an account (those that are enabled by default); {options.keep} sweeps kept, and one that runs.\n")
    for many in (False, True):
        numbers = {size: workers_that_pay(model, size, options.regions, options.keep) if many else 1 for size in options.accounts}
        title = "As many workers as make it faster" if many else "One worker"
        yield f"## {title}\n"
        yield "| | " + " | ".join(f"{size:,} accounts" for size in options.accounts) + " | formula |\n|---|" + "---|" * (len(options.accounts) + 1)
        yield "| workers | " + " | ".join(f"{numbers[size]}" for size in options.accounts) + " | " + (
            "as many as bring *workers' processors* and *waiting* below what no worker changes" if many else "") + " |"
        for name, words, function, show in FIGURES:
            values = (show(function(model, size, options.regions, options.keep, numbers[size])) for size in options.accounts)
            yield f"| {name} | " + " | ".join(values) + f" | {words} |"
        yield ""
    yield "## Where each number comes from\n\n| number | value | from |\n|---|---|---|"
    for name, (row, divisor) in MEASURED.items():
        yield f"| *{name}* | {model[name]:.4g} | measured: \"{row}\"{f' ÷ {divisor:,.0f}' if divisor != 1 else ''} |"
    for name in ("MiB at first", "MiB an account"):
        yield f"| *{name}* | {model[name]:.4g} | measured: the line through the smallest and the largest organization's \"coordinator peak memory\" |"
    for name, (value, what) in GIVEN.items():
        yield f"| *{name}* | {value:.4g} | {what} |"
    findings = model["fails a job"] * model["bytes a FAIL"] + model["passes a job"] * model["bytes a PASS"]
    yield (f"\nOf the {model['bytes a job']:,.0f} bytes a job, its results are {findings:,.0f}: {model['fails a job']:.2f} FAIL of {model['bytes a FAIL']:.0f} bytes and "
           f"{model['passes a job']:.2f} PASS of {model['bytes a PASS']:.0f}. An organization with more AI resources needs as much more: add the difference in results × "
           "their bytes. The rest are facts for chains, reasons of what was not read, the grant and the seal.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--accounts", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--regions", type=int, default=17)
    parser.add_argument("--keep", type=int, default=10)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    written = "\n".join(text(model_of(options.table), options)) + "\n"
    if options.check:
        same = options.check.read_text() == written
        print(f"{'1 passed, 0 failed' if same else f'{options.check} is not what {options.table} gives: run sizing.py again' + chr(10) + '0 passed, 1 failed'}")
        return 0 if same else 1
    if options.output:
        options.output.write_text(written)
    else:
        print(written, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
