"""`orgsweep serve` for an hour on a one-minute schedule: do memory, descriptors and keys stay flat?

usage: soak.py BUILD [--minutes 60] [--accounts 6] [--regions 3] [--workers 2] [--names 2] [--every 1m] [--output docs/soak] [--again|--check]

Two named sweeps, each every minute, with real workers that connect by TCP, a Redis of their own and the simulator. Every five seconds it
notes resident memory and open descriptors of the coordinator and each worker, and Redis' keys, memory and clients. Writes OUTPUT.csv,
OUTPUT.svg and OUTPUT.md; --again makes the plot and the text anew from the CSV, --check says whether they still are what it gives. All
three are written anew each minute, so that what is there when it is interrupted (SIGTERM) can be used.

A series is flat if what it grows in an hour is, at the upper end of its bound (95 %), below FLAT_SHARE of its mean. The bound counts with
one value a minute (the median), as samples within a minute are not independent of each other. The first WARM_MINUTES do not count: until
then the sweeps that are kept are fewer than later.
"""
import argparse
import csv
import datetime
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

SAMPLE_SECONDS = 5
WARM_MINUTES = 6
KEEP = 3
FLAT_SHARE = 0.05
# Two-sided 95 % of Student's t by degrees of freedom; above the last it is the normal distribution's.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 15: 2.13, 20: 2.09, 30: 2.04, 60: 2.0}

# column: (title, divisor, unit)
COLUMNS = {
    "coordinator_kib": ("coordinator, resident", 1024, "MiB"),
    "worker_one_kib": ("worker one, resident", 1024, "MiB"),
    "worker_two_kib": ("worker two, resident", 1024, "MiB"),
    "redis_kib": ("Redis, resident", 1024, "MiB"),
    "redis_used_bytes": ("Redis, used_memory", 1 << 20, "MiB"),
    "redis_keys": ("Redis, keys", 1, ""),
    "redis_clients": ("Redis, connections", 1, ""),
    "coordinator_descriptors": ("coordinator, descriptors", 1, ""),
    "worker_one_descriptors": ("worker one, descriptors", 1, ""),
    "worker_two_descriptors": ("worker two, descriptors", 1, ""),
    "report_files": ("report files", 1, ""),
}


# --- taking samples ---

def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def told(redis, *sections):
    rows = {}
    for section in sections:
        rows.update(line.split(":", 1) for line in redis.ask("INFO", section).decode().splitlines() if ":" in line)
    return rows


class Soak:
    def __init__(self, place, options):
        from common import ORGSWEEP, Simulator
        from fleet import Fleet
        self.place = place
        self.simulator = Simulator(place, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7)
        self.fleet = Fleet(place, self.simulator)
        self.reports = place.path / "reports"
        self.reports.mkdir()
        configuration = place.path / "serve.yaml"
        configuration.write_text(f"store: {self.fleet.redis.url}\nlisten: {self.fleet.endpoints[0]}\nkeys: {self.fleet.keys}\n"
                                 f"reports: {self.reports}\nworkers: 0\nkeep: {KEEP}\nsweeps:\n"
                                 + "".join(f"  sweep-{number}: {{every: {options.every}, output: [json]}}\n" for number in range(options.names)))
        self.log = place.path / "serve.log"
        self.coordinator = subprocess.Popen([str(ORGSWEEP), "serve", "--config", str(configuration)], stdout=subprocess.DEVNULL,
                                            env=self.simulator.environment(XDG_STATE_HOME=place.path / "state"), stderr=open(self.log, "w"))
        place.children.append(self.coordinator)
        self.workers = {name: self.fleet.worker(name) for name in ("one", "two")[:options.workers]}

    def sample(self, since):
        redis = told(self.fleet.redis, "memory", "clients")
        row = {"seconds": round(time.monotonic() - since, 1), "coordinator_kib": resident_kib(self.coordinator.pid),
               "coordinator_descriptors": descriptors(self.coordinator.pid), "redis_kib": resident_kib(self.fleet.redis.process.pid),
               "redis_used_bytes": int(redis["used_memory"]), "redis_clients": int(redis["connected_clients"]) - 1,  # our own
               "redis_keys": int(self.fleet.redis.ask("DBSIZE")), "report_files": len(os.listdir(self.reports))}
        for name, worker in self.workers.items():
            row[f"worker_{name}_kib"], row[f"worker_{name}_descriptors"] = resident_kib(worker.pid), descriptors(worker.pid)
        row["sweeps_ended"] = self.log.read_text().count("sweep.ended")
        return row

    def ended(self):
        return [name for name, process in (("coordinator", self.coordinator), *self.workers.items()) if process.poll() is not None]


def run(options, write):
    from common import Place
    rows, since, written = [], time.monotonic(), 0.0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Place() as place:
        soak = Soak(place, options)
        while time.monotonic() - since < 60 * options.minutes:
            if soak.ended():
                raise SystemExit(f"{soak.ended()} ended: {soak.log.read_text()[-2000:]}")
            rows.append(soak.sample(since))
            if time.monotonic() - written > 60:
                write(rows)
                written = time.monotonic()
            time.sleep(SAMPLE_SECONDS)
    write(rows)
    return rows


# --- fitting ---

def by_minute(rows, column, warm_minutes):
    """(hours, median) of each minute behind the warm-up."""
    minutes = {}
    for row in rows:
        if row.get(column) not in (None, "") and float(row["seconds"]) >= 60 * warm_minutes:
            minutes.setdefault(int(float(row["seconds"]) // 60), []).append(float(row[column]))
    return [((minute + 0.5) / 60, statistics.median(values)) for minute, values in sorted(minutes.items())]


def slope(points):
    """Growth an hour by least squares, and the half-width of its 95 % bound. None: too few points."""
    count = len(points)
    if count < 4:
        return None
    middle, mean = statistics.fmean(x for x, _ in points), statistics.fmean(y for _, y in points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    found = sum((x - middle) * (y - mean) for x, y in points) / spread
    left_over = sum((y - mean - found * (x - middle)) ** 2 for x, y in points)
    freedom = count - 2
    student = next((value for limit, value in sorted(STUDENT.items(), reverse=True) if limit <= freedom), 12.71)
    return found, student * math.sqrt(left_over / freedom / spread)


def verdicts(rows, warm_minutes):
    """column → (mean, growth an hour, bound, flat); none where there is too little."""
    found = {}
    for column in COLUMNS:
        points = by_minute(rows, column, warm_minutes)
        fitted = slope(points)
        if fitted:
            mean = statistics.fmean(y for _, y in points)
            found[column] = (mean, *fitted, fitted[0] + fitted[1] <= FLAT_SHARE * mean)
    return found


# --- showing ---

PANEL_WIDTH, PANEL_HEIGHT, MARGIN_LEFT, MARGIN_TOP, GAP = 420, 110, 60, 24, 40


def panel(rows, column, left, top):
    title, divisor, unit = COLUMNS[column]
    points = [(float(row["seconds"]) / 60, float(row[column]) / divisor) for row in rows if row.get(column) not in (None, "")]
    highest, last = 1.15 * max(y for _, y in points) or 1, max(x for x, _ in points) or 1
    place = lambda x, y: (left + PANEL_WIDTH * x / last, top + PANEL_HEIGHT * (1 - y / highest))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    yield f'<rect x="{left}" y="{top}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="#999"/>'
    yield f'<text x="{left}" y="{top - 6}" font-weight="bold">{title}{", " + unit if unit else ""}</text>'
    for share in (0, 0.5, 1):
        text = f"{share * highest:.1f}" if highest < 20 else f"{share * highest:.0f}"
        yield f'<text x="{left - 4}" y="{top + PANEL_HEIGHT * (1 - share) + 4:.1f}" text-anchor="end">{text}</text>'
    for share in (0, 0.5, 1):
        yield f'<text x="{left + PANEL_WIDTH * share:.1f}" y="{top + PANEL_HEIGHT + 14}" text-anchor="middle">{share * last:.0f} min</text>'
    yield f'<polyline points="{line}" fill="none" stroke="#1b5e9b" stroke-width="1.2"/>'


def svg(rows):
    shown = [column for column in COLUMNS if any(row.get(column) not in (None, "") for row in rows)]
    width = 2 * (MARGIN_LEFT + PANEL_WIDTH) + 30
    height = math.ceil(len(shown) / 2) * (PANEL_HEIGHT + GAP + MARGIN_TOP) + 10
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for index, column in enumerate(shown):
        lines += panel(rows, column, MARGIN_LEFT + (index % 2) * (PANEL_WIDTH + MARGIN_LEFT + 10),
                       MARGIN_TOP + (index // 2) * (PANEL_HEIGHT + GAP + MARGIN_TOP))
    return "\n".join(lines + ["</svg>"]) + "\n"


def word(values):
    _, grows, bound, flat = values
    return "yes" if flat else "no" if grows - bound > 0 else "not shown: the bound is too wide"


def text(rows):
    minutes = float(rows[-1]["seconds"]) / 60
    found, later = verdicts(rows, WARM_MINUTES), verdicts(rows, (minutes + WARM_MINUTES) / 2)
    yield ("# Does `orgsweep serve` stay flat?\n\nMade by `tests/bench/soak.py` (see its head for how): two named sweeps, each every minute, two real "
           f"workers, the {KEEP} latest sweeps of each name kept.\n")
    yield (f"**{minutes:.0f} minutes, {rows[-1]['sweeps_ended']} sweeps** ended in that time, {len(rows)} samples; the first {WARM_MINUTES} minutes do not "
           f"count. \"Flat\" means that the growth in an hour, at the upper end of its bound (95 %, one value a minute), is at most "
           f"{FLAT_SHARE:.0%} of the mean. A run of {minutes:.0f} minutes tells nothing of what grows more slowly than its bound.\n")
    yield "![samples](soak.svg)\n"
    yield ("| series | mean | growth an hour | flat | its second half alone | flat |\n|---|---|---|---|---|---|")
    for column in found:
        title, divisor, unit = COLUMNS[column]
        cells = [f"{found[column][0] / divisor:.2f} {unit}"]
        for values in (found[column], later.get(column)):
            cells += [f"{values[1] / divisor:+.2f} ± {values[2] / divisor:.2f} {unit}", word(values)] if values else ["", ""]
        yield f"| {title} | " + " | ".join(cells) + " |"
    if not found:
        yield "\nToo short a run for any statement."


def write_all(rows, options, with_csv=True):
    names = ["seconds", *COLUMNS, "sweeps_ended"]
    if with_csv:
        with open(options.output.with_suffix(".csv"), "w", newline="") as file:
            table = csv.DictWriter(file, names, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    options.output.with_suffix(".svg").write_text(svg(rows))
    options.output.with_suffix(".md").write_text("\n".join(text(rows)) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--accounts", type=int, default=6)
    parser.add_argument("--regions", type=int, default=3)
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2)
    parser.add_argument("--names", type=int, default=2)
    parser.add_argument("--every", default="1m")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2] / "docs" / "soak")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sweeps"))
    if options.check:
        rows = list(csv.DictReader(open(options.output.with_suffix(".csv"))))
        stale = [kind for kind, made in ((".svg", svg(rows)), (".md", "\n".join(text(rows)) + "\n"))
                 if options.output.with_suffix(kind).read_text() != made]
        print(f"{'not what the CSV gives: ' + str(stale) + chr(10) if stale else ''}{2 - len(stale)} passed, {len(stale)} failed")
        return 1 if stale else 0
    if options.again:
        rows = list(csv.DictReader(open(options.output.with_suffix(".csv"))))
        write_all(rows, options, with_csv=False)
    else:
        print(f"{datetime.datetime.now():%H:%M}: begun, for {options.minutes} minutes; load average {os.getloadavg()[0]:.1f}", flush=True)
        rows = run(options, lambda rows: write_all(rows, options))
    print("\n".join(text(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
