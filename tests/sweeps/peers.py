"""Those a sweep meets beside AWS: a Redis of one's own, proxies, keys of workers, strangers on its port."""
import base64
import ctypes
import ctypes.util
import os
import select
import socket
import struct
import subprocess
import threading

from common import BUILD, Skipped, wait_for


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class StoreClock:
    """The wall clock of a redis-server, which can be set while it runs: a library that is preloaded into it (tests/chaos/clock-offset.c)."""

    def __init__(self, place):
        self.file = place.path / "clock-of-redis"
        self.file.write_bytes(bytes(8))
        library = next((BUILD / "tests" / "chaos").glob("libclock-offset.so"))
        self.prefix = ("env", f"LD_PRELOAD={library}", f"CLOCK_OFFSET_FILE={self.file}")

    def set(self, seconds):
        with open(self.file, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", round(seconds * 1000)))


class Redis:
    """redis-server on a unix socket, in a folder of its own. `prefix`: what starts it (in another network namespace, say)."""

    def __init__(self, place, *arguments, folder=None, password=None, prefix=()):
        self.place, self.password = place, password
        self.folder = folder or place.path / "redis"
        self.folder.mkdir(exist_ok=True)
        self.socket = self.folder / "s"
        self.url = f"unix://{self.socket}"
        self.command = [*prefix, "redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--appendonly", "yes",
                        "--save", "", *arguments] + (["--requirepass", password] if password else [])
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, env=self.place.environment())
        self.place.children.append(self.process)
        wait_for(self.socket.exists, 10, "redis-server")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, *words, timeout=None):
        secret = ["-a", self.password, "--no-auth-warning"] if self.password else []
        return subprocess.run(["redis-cli", "-s", str(self.socket), *secret, "--raw", *map(str, words)], capture_output=True, check=True,
                              timeout=timeout).stdout

    def put(self, value, *words):
        """A command whose last argument is bytes."""
        subprocess.run(["redis-cli", "-s", str(self.socket), "-x", *words], input=value, capture_output=True, check=True)


class Proxy:
    """Forwards CONNECT; or, for the host names in `refuse`, answers with a status and a body of its own."""

    def __init__(self, refuse=None, status=403, body=b"", user=None):
        self.refuse, self.status, self.body = refuse or (), status, body
        self.wanted = user and base64.b64encode(user.encode())
        self.connects, self.refused, self.lock = [], 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://{user + '@' if user else ''}127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                self.converse(client)
            except OSError:
                pass

    def converse(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        with self.lock:
            self.connects.append(host)
        if self.wanted and b"Basic " + self.wanted not in head:
            self.answer(client, 407)
        elif host in self.refuse or "*" in self.refuse:
            self.answer(client, self.status)
        else:
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.pump(client, server)

    def answer(self, client, status):
        with self.lock:
            self.refused += 1
        asks = b'Proxy-Authenticate: Basic realm="proxy"\r\n' if status == 407 else b""
        client.sendall(b"HTTP/1.1 %d No\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: of-the-proxy\r\n%sContent-Length: %d\r\n"
                       b"Connection: close\r\n\r\n%s" % (status, asks, len(self.body), self.body))

    @staticmethod
    def pump(one, other):
        while True:
            for ready in select.select([one, other], [], [])[0]:
                piece = ready.recv(65536)
                if not piece:
                    return
                (other if ready is one else one).sendall(piece)


class SmallDisk:
    """A folder on a file system of its own, of which `fill` takes the rest."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir(parents=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True).returncode:
            raise Skipped("a file system can't be mounted here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def empty(self):
        (self.folder / "filler").unlink()


def curve_keys():
    """A CURVE pair from libzmq itself: (public, secret), Z85."""
    library = ctypes.CDLL(ctypes.util.find_library("zmq") or "libzmq.so.5")
    public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
    assert library.zmq_curve_keypair(public, secret) == 0
    return public.value.decode(), secret.value.decode()


def write_keys(folder, name):
    """NAME.key and NAME.pub as docs and `orgsweep keys` have them."""
    public, secret = curve_keys()
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{name}.pub").write_text(f'public-key = "{public}"\n')
    with open(os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f'public-key = "{public}"\nsecret-key = "{secret}"\n')
    return folder / f"{name}.key", folder / f"{name}.pub"


def zmtp_greeting(mechanism):
    """The first 64 bytes of a ZMTP 3.0 peer (ZeroMQ RFC 23)."""
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)
