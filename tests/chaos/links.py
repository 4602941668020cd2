"""Links between processes that can be cut, silenced and slowed: TCP proxies of our own, one thread for all of a run's."""
import asyncio
import contextlib
import ctypes
import socket
import struct
import threading

PIECE = 16384
# Of each packet that comes in, so many are lost (out of 100).
LOSS = {"lossy": 10, "very lossy": 40}
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MEMINFO, MEMINFO_DROPS = 26, 27, 55, 8


def lose(one, percent):
    """The kernel drops packets for that socket at random, before TCP has seen them: they are lost as on the way, and TCP sends them again."""
    if not percent:
        with contextlib.suppress(OSError):  # there was none
            one.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        return
    program = b"".join(struct.pack("=HBBI", *line) for line in (
        (0x20, 0, 0, 0xfffff000 + 56),  # a random number
        (0x35, 0, 1, percent * (1 << 32) // 100),  # is it at least that?
        (0x06, 0, 0, 0xffffffff),  # then all of the packet is taken
        (0x06, 0, 0, 0)))  # else nothing
    code = ctypes.create_string_buffer(program)
    one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))


def lost(one):
    """How many packets so far."""
    return struct.unpack_from("=I", one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64), 4 * MEMINFO_DROPS)[0]


class Link:
    """A port of 127.0.0.1 that leads to `target`: a port there, or the path of a unix socket. The target may change; connections stay."""

    MODES = {
        "open": "everything goes through",
        "cut": "connections are reset, and new ones too",
        "silent": "connections stay, nothing comes through: as when packets are lost on the way",
        "deaf": "nothing goes to the target, what it says still comes back",
        "slow": "each piece takes 150 ms longer, and pieces are small",
        "lossy": "one packet of ten is lost, where the target is a port in both directions",
        "very lossy": "four of ten",
    }

    def __init__(self, links, target):
        self.links, self.target, self.mode, self.transports, self.lost = links, target, "open", set(), 0
        self.changed = None
        self.port = links.call(self.open())

    async def open(self):
        self.changed = asyncio.Condition()
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0, limit=PIECE)
        return self.server.sockets[0].getsockname()[1]

    def set(self, mode):
        assert mode in self.MODES, mode
        self.links.call(self.change(mode))

    async def change(self, mode):
        async with self.changed:
            self.mode = mode
            self.changed.notify_all()
        for one in [*self.server.sockets, *(transport.get_extra_info("socket") for transport in self.transports)]:
            self.lose(one)
        if mode == "cut":
            for transport in list(self.transports):
                transport.abort()

    def lose(self, one):
        if one.family != socket.AF_UNIX:
            lose(one, LOSS.get(self.mode))

    def leave(self, transport):
        """Before it is closed."""
        self.transports.discard(transport)
        with contextlib.suppress(OSError):
            self.lost += lost(transport.get_extra_info("socket"))

    def packets_lost(self):
        """So far, those of connections that are open too."""
        async def count():
            return self.lost + sum(lost(transport.get_extra_info("socket")) for transport in self.transports)
        return self.links.call(count())

    async def accept(self, reader, writer):
        if self.mode == "cut":
            writer.transport.abort()
            return
        try:
            there, back = await (asyncio.open_connection("127.0.0.1", self.target, limit=PIECE) if isinstance(self.target, int)
                                 else asyncio.open_unix_connection(str(self.target), limit=PIECE))
        except OSError:
            writer.transport.abort()
            return
        both = {writer.transport, back.transport}
        self.transports |= both
        for transport in both:
            self.lose(transport.get_extra_info("socket"))
        pumps = [asyncio.ensure_future(self.pump(reader, back, ("silent", "deaf"))), asyncio.ensure_future(self.pump(there, writer, ("silent",)))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for transport in both:
                self.leave(transport)
                transport.abort() if self.mode == "cut" else transport.close()

    async def pump(self, reader, writer, held_in):
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE if self.mode != "slow" else PIECE // 8):
                async with self.changed:
                    await self.changed.wait_for(lambda: self.mode not in held_in)
                if self.mode == "slow":
                    await asyncio.sleep(0.15)
                writer.write(piece)
                await writer.drain()


class Links:
    """The loop on which they run."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # a connection that is cut is no news
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self):
        async def end():
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
