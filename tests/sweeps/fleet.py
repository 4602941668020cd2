"""A Redis of one's own, keys, and workers that connect by TCP."""
import shutil
import subprocess

from common import WORKER, wait_for
from peers import Redis, free_port, write_keys

SEALED = "local n = 0; for _, k in ipairs(redis.call('KEYS', '*:job:*')) do n = n + redis.call('HEXISTS', k, 's') end; return n"
JOB = "local k = redis.call('KEYS', ARGV[1])[1]; return k and {redis.call('HGET', k, 'e'), redis.call('HGET', k, 'w') or '', tostring(redis.call('HEXISTS', k, 's'))} or {'', '', ''}"
EPOCHS = "local all = {}; for _, k in ipairs(redis.call('KEYS', '*:job:*')) do all[#all + 1] = k .. ' ' .. redis.call('HGET', k, 'e') .. ' ' .. redis.call('HEXISTS', k, 's') end; return all"


class Fleet:
    """A Redis, keys, and workers that connect by TCP."""

    def __init__(self, place, simulator, coordinators=1, redis=None):
        self.place, self.simulator, self.redis = place, simulator, redis or Redis(place)
        self.keys = place.path / "keys"
        (self.keys / "allowed").mkdir(parents=True)
        self.keys.chmod(0o700)
        write_keys(self.keys, "server")
        self.private = {}
        for name in ("one", "two"):
            self.private[name], public = write_keys(place.path, name)
            shutil.copy(public, self.keys / "allowed")
        self.endpoints = [f"tcp://127.0.0.1:{free_port()}" for _ in range(coordinators)]

    def arguments(self, coordinator=0):
        return ["--listen", self.endpoints[coordinator], "--keys", self.keys, "--workers", 0, "--store", self.redis.url]

    def worker(self, name, store=None, endpoints=None, options=None, prefix=(), **settings):
        """`store`, `endpoints`, `settings` where they are not the coordinator's; `prefix`: what starts it."""
        environment = {k: v for k, v in self.simulator.environment(**settings).items() if k != "AWS_SECRET_ACCESS_KEY"}
        connect = [word for endpoint in endpoints or self.endpoints for word in ("--connect", endpoint)]
        with open(self.place.path / f"{name}.log", "a") as log:
            process = subprocess.Popen([*prefix, str(WORKER), *connect, "--key", str(self.private[name]), "--server-key",
                                        str(self.keys / "server.pub"), "--store", store or self.redis.url], env=environment, stderr=log,
                                       **(options or {}))
        self.place.children.append(process)
        return process

    def job(self, account, region):
        """(epoch, the worker it was granted to last, sealed); None before the first grant."""
        epoch, worker, sealed = self.redis.ask("EVAL", JOB, 0, f"*:job:{account}:{region}").decode().splitlines()[:3] or ("", "", "")
        return (int(epoch), worker, sealed == "1") if epoch else None

    def epochs(self):
        """job → (epoch, sealed)"""
        return {line.split()[0]: tuple(map(int, line.split()[1:])) for line in self.redis.ask("EVAL", EPOCHS, 0).decode().splitlines() if line}

    def sealed(self):
        return int(self.redis.ask("EVAL", SEALED, 0))

    def sweep_row(self):
        index = self.redis.ask("ZRANGE", "swp:index", 0, -1).decode().split()
        words = self.redis.ask("HGETALL", f"swp:{index[-1]}:sweep").decode().splitlines()
        return dict(zip(words[::2], words[1::2]))

    def wait_sealed(self, count, coordinator, seconds=30):
        try:
            wait_for(lambda: self.sealed() > count, seconds, f"{count} jobs")
        except AssertionError as why:
            logs = "".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.place.path.glob("*.log")))
            raise AssertionError(f"{why}\n{coordinator.said()}\n{logs}")
