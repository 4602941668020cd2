"""Central Redis servers over TCP or TLS, replicas and sentinels, and the certificates for them."""
import re
import socket
import subprocess

from common import wait_for
from peers import free_port


def certificates(folder):
    """A CA, and a pair for a server on 127.0.0.1 and one for a client, each NAME.crt and NAME.key."""
    folder.mkdir(exist_ok=True)
    quiet = dict(cwd=folder, check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", "-subj",
                    "/CN=test-ca"], **quiet)
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"],
                       **quiet)
        subprocess.run(["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                        "-out", f"{name}.crt", "-extfile", "san"], **quiet)
    return folder


def variables(folder):
    """What orgsweep and its workers are told of them."""
    return dict(ORGSWEEP_STORE_CA_FILE=folder / "ca.crt", ORGSWEEP_STORE_CERTIFICATE_FILE=folder / "client.crt",
                ORGSWEEP_STORE_KEY_FILE=folder / "client.key")


class Server:
    """A redis-server (or, with a text for `sentinel`, a sentinel) on a port of 127.0.0.1, in a folder of its own. With `tls`, a folder of
    certificates, it speaks nothing but TLS and wants a client certificate. `login` is what redis-cli says first: user, password. `text`, where
    it is given, is the whole of its file."""

    def __init__(self, place, name, *arguments, program="redis-server", tls=None, login=None, sentinel=None, port=None, text=None,
                 is_sentinel=False):
        self.place, self.tls, self.login, self.port = place, tls, login, port or free_port()
        self.folder = place.path / name
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / "log"
        ports = ["port", 0, "tls-port", self.port, "tls-cert-file", tls / "server.crt", "tls-key-file", tls / "server.key", "tls-ca-cert-file",
                 tls / "ca.crt", "tls-auth-clients", "yes", "tls-replication", "yes"] if tls else ["port", self.port]
        lines = ["bind", "127.0.0.1", *ports, "dir", self.folder, "logfile", self.log]
        lines = [f"{key} {value}" for key, value in zip(lines[::2], lines[1::2])]
        if sentinel is None:
            lines += ["appendonly yes", 'save ""', "repl-diskless-sync-delay 0"]
        configuration = self.folder / "redis.conf"
        configuration.write_text(text or "\n".join([*lines, *arguments, *([sentinel] if sentinel else [])]) + "\n")
        self.command = [program, str(configuration), *(["--sentinel"] if sentinel or is_sentinel else [])]
        self.host = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=open(self.folder / "output", "a"), stderr=subprocess.DEVNULL, env=self.place.environment())
        self.place.children.append(self.process)
        wait_for(self.listens, 20, " ".join(self.command))

    def listens(self):
        assert self.process.poll() is None, (self.folder / 'output').read_text() + (self.log.read_text() if self.log.exists() else '')
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cli(self, login=None):
        login = login or self.login
        tls = ["--tls", "--cacert", self.tls / "ca.crt", "--cert", self.tls / "client.crt", "--key", self.tls / "client.key"] if self.tls else []
        secret = ["--user", login[0], "--pass", login[1], "--no-auth-warning"] if login else []
        return ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *map(str, tls), *secret]

    def ask(self, *words, login=None):
        return subprocess.run([*self.cli(login), *map(str, words)], capture_output=True, text=True, check=True).stdout.strip()

    def told(self, section, name):
        """A value of INFO; None while it does not answer."""
        try:
            found = re.search(rf"^{name}:(.*)$", self.ask("INFO", section), re.M)
        except subprocess.CalledProcessError:
            return None
        return found and found.group(1).strip()


class Group:
    """A primary, a replica and three sentinels that watch them by the name of orgsweep; ready for a fail-over."""

    def __init__(self, place, *arguments, tls=None, login=None, sentinel_password=None, program="redis-server"):
        own = [f"masteruser {login[0]}", f"masterauth {login[1]}"] if login else []
        self.servers = [Server(place, "first", *arguments, *own, tls=tls, login=login, program=program)]
        self.servers.append(Server(place, "second", *arguments, *own, f"replicaof 127.0.0.1 {self.servers[0].port}", tls=tls, login=login,
                                   program=program))
        wait_for(lambda: self.servers[1].told("replication", "master_link_status") == "up", 20, "replication")
        lines = [f"sentinel monitor orgsweep 127.0.0.1 {self.servers[0].port} 2", "sentinel down-after-milliseconds orgsweep 1000",
                 "sentinel failover-timeout orgsweep 5000"]
        lines += [f"sentinel auth-user orgsweep {login[0]}", f"sentinel auth-pass orgsweep {login[1]}"] if login else []
        lines += [f"requirepass {sentinel_password}"] if sentinel_password else []
        self.sentinels = [Server(place, f"sentinel-{i}", tls=tls, login=sentinel_password and ("default", sentinel_password),
                                 sentinel="\n".join(lines), program=program) for i in range(3)]
        for sentinel in self.sentinels:
            wait_for(lambda: self.knows_all(sentinel), 30, "sentinels that know each other and the replica")
        self.hosts = ",".join(sentinel.host for sentinel in self.sentinels)
        self.url = f"sentinel://{self.hosts}/orgsweep"

    @staticmethod
    def knows_all(sentinel):
        words = sentinel.ask("SENTINEL", "MASTER", "orgsweep").split("\n")
        told = dict(zip(words[::2], words[1::2]))
        return told["num-slaves"] == "1" and told["num-other-sentinels"] == "2" and told["flags"] == "master"

    def in_order(self):
        """Primary and replica. (On a busy machine there may have been a fail-over that nobody asked for.)"""
        primary = wait_for(self.primary, 20, "a primary")
        return primary, next(server for server in self.servers if server is not primary)

    def primary(self):
        """The server that most sentinels name."""
        named = [sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "orgsweep").split("\n")[1] for sentinel in self.sentinels]
        return next((server for server in self.servers if named.count(str(server.port)) > 1), None)
