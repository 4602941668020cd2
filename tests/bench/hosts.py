"""The sweep with AWS's real host names (services × regions), resolved to the simulator inside a network namespace of its own. Needs root."""
import os
import pathlib
import subprocess

import bench
from measure import Simulator

SERVICES = ("bedrock", "api.sagemaker", "sts", "ec2")
GLOBAL = ("organizations.us-east-1.amazonaws.com", "account.us-east-1.amazonaws.com", "iam.amazonaws.com")


def count(regions):
    return len(SERVICES) * regions + len(GLOBAL)


class Namespace:
    def __init__(self, regions):
        self.name = f"orgsweep-bench-{os.getpid()}"
        self.folder = pathlib.Path("/etc/netns") / self.name
        self.prefix = ["ip", "netns", "exec", self.name]
        names = [f"{service}.{region}.amazonaws.com" for service in SERVICES for region in regions] + list(GLOBAL)
        self.folder.mkdir(parents=True)
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in names))

    def open(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True, capture_output=True)
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", "up"], check=True, capture_output=True)

    def close(self):
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)
        (self.folder / "hosts").unlink()
        self.folder.rmdir()


def sweep_by_names(build, folder, home, options, runs):
    """The best run's result, or why there is none."""
    if os.geteuid():
        return "Not run: a network namespace needs root."
    namespace = Namespace(bench.regions_of(build, folder, options.regions))
    try:
        namespace.open()
        simulator = Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms",
                              bench.LATENCY_MS, listen="127.0.0.1:443", prefix=namespace.prefix)
        try:
            return bench.best_sweep(runs, build, simulator, home, hosts_resolve=True, watched=True)
        finally:
            simulator.close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"Not run: {error}"
    finally:
        namespace.close()
