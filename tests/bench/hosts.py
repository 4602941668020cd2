"""The sweep with AWS's real host names (services × regions), resolved to the simulator inside a network namespace of its own. Needs root."""
import os
import pathlib
import subprocess

import bench

SERVICES = ("bedrock", "api.sagemaker", "sts", "ec2")
GLOBAL = ("organizations.us-east-1.amazonaws.com", "account.us-east-1.amazonaws.com", "iam.amazonaws.com")


class Namespace:
    def __init__(self, regions):
        self.name = f"orgsweep-bench-{os.getpid()}"
        self.folder = pathlib.Path("/etc/netns") / self.name
        self.folder.mkdir(parents=True)
        names = [f"{service}.{region}.amazonaws.com" for service in SERVICES for region in regions] + list(GLOBAL)
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in names))
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.prefix = ["ip", "netns", "exec", self.name]
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", "up"], check=True)

    def close(self):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)
        (self.folder / "hosts").unlink()
        self.folder.rmdir()


def sweep_by_names(out, build, folder, home, options, limit):
    if os.geteuid():
        print("\n### Real host names\n\nNot run: a network namespace needs root.", file=out)
        return
    namespace = Namespace(bench.regions_of(build, folder, options.regions))
    try:
        simulator = bench.Simulator(build, folder, "--accounts", options.accounts, "--regions", options.regions, "--seed", 7, "--latency-ms", 30,
                                    listen="127.0.0.1:443", prefix=namespace.prefix)
        try:
            result = bench.sweep(build, simulator, home, hosts=True)
            bench.print_sweep(out, f"30 ms a response, real host names ({len(SERVICES) * options.regions + len(GLOBAL)} hosts)", result, 30, limit)
        finally:
            simulator.close()
    finally:
        namespace.close()
