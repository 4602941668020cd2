"""What a command takes: wall time, CPU time and peak memory of each of its processes, and what the simulator saw of it.

CPU time is counted twice. What a command and all that it has waited for took is told by the kernel when it ends (wait4), to the last
tick; which process took it is sampled from /proc (schedstat, nanoseconds) every 10 ms, so that a process may lack its last 10 ms.
The difference is printed, so that nothing hides in it.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SAMPLE_SECONDS = 0.01
FAMILY_SECONDS = 0.1


class Sampler(threading.Thread):
    """CPU seconds and peak memory of every process below one."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.root, self.seen, self.stop = pid, {}, False

    def family(self):
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
                    parents[int(entry)] = int(fields[1])
                except OSError:
                    continue
        members, grown = {self.root}, True
        while grown:
            fresh = {pid for pid, parent in parents.items() if parent in members} - members
            members |= fresh
            grown = bool(fresh)
        return members

    def sample(self, pid):
        """All threads: a process's schedstat tells of its first one only."""
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            cpu = waited = 0
            for task in os.listdir(f"/proc/{pid}/task"):
                times = pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
                cpu += int(times[0])
                waited += int(times[1])
        except (OSError, IndexError):
            return
        fields = dict(line.split(":", 1) for line in status.splitlines())
        peak = int(fields["VmHWM"].split()[0]) if "VmHWM" in fields else 0
        old = self.seen.get(pid, (0, 0, 0, 0))
        self.seen[pid] = (fields["Name"].strip(), max(cpu / 1e9, old[1]), max(peak, old[2]), max(waited / 1e9, old[3]))

    def run(self):
        members, looked = {self.root}, 0.0
        while not self.stop:
            if time.monotonic() - looked > FAMILY_SECONDS:
                members, looked = self.family(), time.monotonic()
            for pid in members:
                self.sample(pid)
            time.sleep(SAMPLE_SECONDS)

    def table(self):
        """By name: CPU seconds of all together, peak KiB of the largest, seconds that they were ready to run and had no core."""
        rows = {}
        for name, cpu, peak, waited in self.seen.values():
            known = rows.setdefault(name, [0.0, 0, 0.0])
            known[0] += cpu
            known[1] = max(known[1], peak)
            known[2] += waited
        return rows


class Simulator:
    def __init__(self, build, folder, *arguments, listen="127.0.0.1:0", prefix=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.prefix = list(prefix)
        ready = self.folder / "ready"
        self.process = subprocess.Popen([*prefix, str(build / "tests/simulator/orgsweep-simulator"), "--listen", listen, "--state",
                                         str(self.folder), "--ready-file", str(ready), "--die-with-parent", *map(str, arguments)])
        end = time.monotonic() + 20
        while not ready.exists() or not ready.read_text().strip().endswith("}"):
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("the simulator did not start")
            time.sleep(0.02)
        self.ready = json.loads(ready.read_text())
        self.url = f"https://127.0.0.1:{self.ready['port']}"

    def environment(self, home, hosts=False):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ORGSWEEP_", "XDG_")) and "proxy" not in k.lower()}
        kept.update(HOME=str(home), XDG_STATE_HOME=str(home / "state"), AWS_CA_BUNDLE=self.ready["ca"], AWS_REGION="us-east-1",
                    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID=self.ready["access_key_id"],
                    AWS_SECRET_ACCESS_KEY=self.ready["secret_access_key"], AWS_EC2_METADATA_DISABLED="true",
                    REQUESTS_CA_BUNDLE=self.ready["ca"], SSL_CERT_FILE=self.ready["ca"])
        if not hosts:
            kept["AWS_ENDPOINT_URL"] = self.url
        return kept

    def ask(self, path, method="GET"):
        return json.loads(subprocess.run([*self.prefix, "curl", "-s", "--cacert", self.ready["ca"], "-X", method,
                                          f"{self.url}/_simulator/{path}"], capture_output=True, text=True, check=True).stdout or "{}")

    def cpu(self):
        return sum(int(pathlib.Path(f"/proc/{self.process.pid}/task/{task}/schedstat").read_text().split()[0])
                   for task in os.listdir(f"/proc/{self.process.pid}/task")) / 1e9

    def watch(self):
        """A process that notes the simulator's counters every 20 ms until its input ends."""
        return subprocess.Popen([*self.prefix, sys.executable, str(pathlib.Path(__file__).with_name("watch.py")), str(self.ready["port"]),
                                 self.ready["ca"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(command, environment, simulator, cwd, watched=False):
    """Runs a command; what it took."""
    simulator.ask("reset-statistics", "POST")
    watcher = simulator.watch() if watched else None
    if watcher:
        watcher.stdout.readline()  # it is connected
    errors = open(pathlib.Path(cwd) / "errors.txt", "w+")
    before, start = simulator.cpu(), time.monotonic()
    process = subprocess.Popen([*simulator.prefix, *map(str, command)], env=environment, cwd=cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=errors)
    sampler = Sampler(process.pid)
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.stop = True
    sampler.join()
    result = {"wall": wall, "code": process.returncode, "processes": sampler.table(), "cpu": usage.ru_utime + usage.ru_stime,
              "simulator_cpu": simulator.cpu() - before, "samples": json.loads(watcher.communicate("")[0]) if watcher else []}
    seen = simulator.ask("statistics")
    result.update(calls=seen["requests"], handshakes=seen["tls_handshakes"] - bool(watched), operations=seen["by_operation"])
    errors.seek(0)
    result["errors"] = errors.read()
    errors.close()
    return result
