"""A sweep in the background, over an organization that takes its time: for tests that disturb it."""
import json
import pathlib
import subprocess
import time

from common import ORGSWEEP, Simulator, check_report, stable, sweep, wait_for

SIZE = ("--seed", 41, "--accounts", 10, "--regions", 4)


class Running:
    """A sweep in the background."""

    def __init__(self, place, simulator, *arguments, options=None, **environment):
        self.place, self.target = place, place.path / f"running-{time.monotonic_ns()}.json"
        self.errors = open(place.path / f"errors-{time.monotonic_ns()}", "w+")
        self.process = subprocess.Popen([str(ORGSWEEP), "sweep", "--all", "--quiet", "--output", str(self.target), *map(str, arguments)],
                                        env=simulator.environment(**environment), stdout=subprocess.DEVNULL, stderr=self.errors, cwd=place.path,
                                        **(options or {}))
        place.children.append(self.process)

    def said(self):
        """What stands on standard error by now."""
        return "".join(line for line in pathlib.Path(self.errors.name).read_text().splitlines(True) if " INFO " not in line)

    def everything(self):
        return pathlib.Path(self.errors.name).read_text()

    def waited_for_core(self):
        """Seconds that the process could run and was not let (proc(5), schedstat): other programs' doing. None: it has ended."""
        try:
            return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            return None

    def signal(self, number, timeout=20):
        """Seconds from the signal to the end, without those in which others had the core."""
        start, before = time.monotonic(), self.waited_for_core() or 0
        waited = before
        self.process.send_signal(number)
        while self.process.poll() is None:
            waited = self.waited_for_core() or waited
            assert time.monotonic() - start < timeout, f"it still runs {timeout} s after signal {number}"
            time.sleep(0.005)
        return time.monotonic() - start - max(0, waited - before)

    def child(self, name):
        def found():
            for entry in pathlib.Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        stat = (entry / "stat").read_text().rsplit(")", 1)
                        if int(stat[1].split()[1]) == self.process.pid and stat[0].split("(", 1)[1] == name[:15] and stat[1].split()[0] != "Z":
                            return int(entry.name)
                    except OSError:
                        continue
            return None
        return wait_for(found, 20, f"child {name}")

    def finish(self, timeout=120):
        self.process.wait(timeout)
        text = self.said()
        report = json.loads(self.target.read_text()) if self.target.exists() else None
        if report:
            check_report(report, self.target.read_text())
        return self.process.returncode, report, text


def under_way(simulator):
    """Some jobs of a slow sweep wait for descriptions, and those without anything to describe are sealed."""
    described = lambda: sum(count for name, count in simulator.ask("statistics")["by_operation"].items() if name.startswith("sagemaker:Describe"))
    wait_for(lambda: described() >= 3, 30, "descriptions")
    time.sleep(0.3)


def slow(place, milliseconds=700, *more):
    """Descriptions take their time: meanwhile some jobs are sealed and some are not, for at least that long."""
    return Simulator(place, *SIZE, "--latency-ms", 20, "--fault", f"operation=sagemaker:Describe*,kind=slow:{milliseconds}", *more)


truths = []


def expected(place):
    """What an undisturbed sweep of the same organization says."""
    if not truths:
        truths.append(stable(sweep(place, "--all", environment=Simulator(place, *SIZE).environment()).report))
    return truths[0]
