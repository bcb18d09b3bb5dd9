"""Messages with receipts through the gateway example while workers, an upstream and Redis are killed, applications bind
again and the script is reloaded; judged from what the peers themselves know.

What an application was told ESME_ROK for has reached an upstream exactly once; a receipt that an upstream was told
ESME_ROK for has reached a session of the message's system_id, with the id that the application knows."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from lib import proc
from lib import smpp_raw as raw

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway.py"
# What a dead worker was to hand out is taken up sooner than in production: a test has no minute to wait.
SCRIPT = EXAMPLE.read_text() + "\nreceipts.LEASE_SECONDS, receipts.SWEEP_SECONDS = 8.0, 1.0\n"
CREDENTIALS = {"esme1": "s3cret", "esme2": "pa55word"}
PREFIXES = {"esme1": "44", "esme2": "1"}  # of destinations: esme1 over eu, esme2 over us
SECONDS, PAUSE, SESSIONS = 16.0, 0.01, 2

pytestmark = pytest.mark.slow


class Peer:
    """One connection, either side: requests go to `serve`, answers to who waits for them."""

    def __init__(self, reader, writer, serve):
        self.reader, self.writer, self.serve = reader, writer, serve
        self.waiting, self.sequence = {}, 0
        self.task = asyncio.ensure_future(self.read())

    async def read(self):
        try:
            while True:
                length = await self.reader.readexactly(4)
                pdu = raw.decode(length + await self.reader.readexactly(int.from_bytes(length, "big") - 4))
                if pdu.command.endswith("_resp") or pdu.command == "generic_nack":
                    if pdu.seq in self.waiting:
                        self.waiting.pop(pdu.seq).set_result(pdu)
                elif pdu.command in ("enquire_link", "unbind"):
                    self.answer(pdu)
                else:
                    self.serve(self, pdu)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.abort()
            for future in self.waiting.values():
                future.cancel()
            self.waiting.clear()

    def abort(self):
        self.writer.transport.abort()

    @property
    def closed(self):
        return self.task.done()

    def answer(self, pdu, status=0, **fields):
        self.writer.write(raw.encode(pdu.command + "_resp", pdu.seq, status, **({} if status else fields)))

    async def call(self, command, timeout=40, **fields):
        """The answer, or None when the connection ended or the time was over before it."""
        if self.closed:
            return None
        self.sequence += 1
        future = self.waiting[self.sequence] = asyncio.get_running_loop().create_future()
        self.writer.write(raw.encode(command, self.sequence, **fields))
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout)
        except asyncio.CancelledError:
            if not future.cancelled():
                raise
            return None
        except TimeoutError:
            return None


class Upstream:
    """An SMSC whose messages and receipts outlive its connections. All of them give the same ids."""

    def __init__(self, seed):
        self.port, self.random = proc.free_port(), random.Random(seed)
        self.peers, self.tasks, self.server = [], set(), None
        self.last_id = 0
        self.submitted, self.sent, self.acknowledged, self.early = Counter(), Counter(), set(), set()

    async def listen(self):
        self.server = await asyncio.start_server(self.accepted, "127.0.0.1", self.port)

    async def kill(self):
        self.server.close()
        for peer in self.peers:
            peer.abort()
        self.peers.clear()

    def accepted(self, reader, writer):
        Peer(reader, writer, self.serve)

    def serve(self, peer, pdu):
        if pdu.command == "bind_transceiver":
            peer.answer(pdu, system_id="UP")
            self.peers.append(peer)
        elif pdu.command == "submit_sm":
            self.last_id += 1
            self.submitted[pdu.short_message] += 1
            self.spawn(self.accept(peer, pdu, str(self.last_id)))

    def spawn(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def accept(self, peer, pdu, message_id):
        if self.random.random() < 0.2:
            self.early.add(pdu.short_message)
            self.spawn(self.deliver(pdu, message_id))
            await asyncio.sleep(0.1)
            peer.answer(pdu, message_id=message_id)
        else:
            await asyncio.sleep(self.random.random() * 0.02)
            peer.answer(pdu, message_id=message_id)
            await asyncio.sleep(self.random.random() * 0.5)
            await self.deliver(pdu, message_id)

    async def deliver(self, pdu, message_id):
        """Until it is taken."""
        text = f"id:{message_id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:{pdu.short_message.decode()}"
        addresses = {"source_addr": pdu.destination_addr, "destination_addr": pdu.source_addr}
        while True:
            live = [peer for peer in self.peers if not peer.closed]
            if live:
                self.sent[pdu.short_message] += 1
                peer = self.random.choice(live)
                resp = await peer.call("deliver_sm", 10, esm_class=4, short_message=text.encode(), **addresses)
                if resp and resp.status == raw.ESME_ROK:
                    self.acknowledged.add(pdu.short_message)
                    return
                assert not resp or resp.status in (raw.ESME_RX_T_APPN, raw.ESME_RTHROTTLED), resp
            await asyncio.sleep(0.1 + self.random.random() * 0.2)


class Application:
    """Sessions of one system_id that submit, bind again at times, and write down all that they get."""

    def __init__(self, port, system_id):
        self.port, self.system_id, self.random = port, system_id, random.Random(system_id)
        self.accepted, self.receipts, self.rebinds, self.refused = {}, Counter(), 0, 0
        self.submitting, self.running, self.tasks, self.number = True, True, set(), 0

    def serve(self, peer, pdu):
        assert pdu.command == "deliver_sm", pdu
        fields = dict(part.split(":", 1) for part in pdu.short_message.decode().split() if ":" in part)
        self.receipts[fields["id"], fields["text"].encode()] += 1
        peer.answer(pdu)

    async def bound(self):
        while self.running:
            try:
                peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port), self.serve)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            password = CREDENTIALS[self.system_id]
            resp = await peer.call("bind_transceiver", 5, system_id=self.system_id, password=password)
            if resp and resp.status == raw.ESME_ROK:
                return peer
            peer.abort()
            await asyncio.sleep(0.05)

    async def run(self):
        """One session after the other, each for a second or two."""
        while peer := await self.bound():
            until = asyncio.get_running_loop().time() + 1 + self.random.random() * 2
            while (
                not peer.closed and self.running and (not self.submitting or asyncio.get_running_loop().time() < until)
            ):
                if self.submitting:
                    task = asyncio.ensure_future(self.submit(peer))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
                await asyncio.sleep(PAUSE)
            self.rebinds += 1
            await peer.call("unbind", 5)
            peer.abort()

    async def submit(self, peer):
        self.number += 1
        body = f"{self.system_id}-{self.number}".encode()
        destination = f"{PREFIXES[self.system_id]}{self.number:08}"
        resp = await peer.call("submit_sm", destination_addr=destination, short_message=body, registered_delivery=1)
        if resp and resp.status == raw.ESME_ROK:
            self.accepted[body] = resp.message_id
        elif resp:
            self.refused += 1


async def kill_worker(rng, daemon, upstreams, redis):
    pids = daemon.worker_pids()
    if len(pids) == 2:
        daemon.signal(signal.SIGKILL, rng.choice(pids))


async def kill_upstream(rng, daemon, upstreams, redis):
    upstream = rng.choice(list(upstreams.values()))
    await upstream.kill()
    await asyncio.sleep(rng.random())
    await upstream.listen()


async def kill_redis(rng, daemon, upstreams, redis):
    redis.kill()
    await asyncio.sleep(rng.random())
    await asyncio.to_thread(redis.start)
    # What waits for Redis in a worker's memory is written; a worker that dies before has lost it, as documented.
    await asyncio.sleep(4)


async def reload(rng, daemon, upstreams, redis):
    daemon.signal(signal.SIGHUP)


async def chaos(rng, *what):
    until = asyncio.get_running_loop().time() + SECONDS
    while asyncio.get_running_loop().time() < until:
        events = [kill_redis, kill_worker, kill_upstream, reload, kill_worker, kill_upstream]
        rng.shuffle(events)
        for event in events:
            await asyncio.sleep(0.2 + rng.random() * 0.6)
            await event(rng, *what)


async def until(condition, seconds):
    end = asyncio.get_running_loop().time() + seconds
    while not condition() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.1)


def missing(applications, upstreams):
    """Messages that were accepted and whose receipt was acknowledged, without their receipt."""
    seen = {body for app in applications.values() for _, body in app.receipts}
    acknowledged = {body for upstream in upstreams.values() for body in upstream.acknowledged}
    accepted = {body for app in applications.values() for body in app.accepted}
    return (acknowledged & accepted) - seen


async def play(daemon, upstreams, redis, seed):
    applications = {system_id: Application(daemon.port, system_id) for system_id in CREDENTIALS}
    runs = [asyncio.ensure_future(app.run()) for app in applications.values() for _ in range(SESSIONS)]
    await chaos(random.Random(seed), daemon, upstreams, redis)
    for app in applications.values():
        app.submitting = False
    busy = [*applications.values(), *upstreams.values()]
    await until(lambda: not any(peer.tasks for peer in busy) and not missing(applications, upstreams), 30)
    undelivered = sum(len(upstream.tasks) for upstream in upstreams.values())
    for app in applications.values():
        app.running = False
    await asyncio.gather(*runs)
    for upstream in upstreams.values():
        await upstream.kill()
    return applications, undelivered


def judge(applications, upstreams):
    submitted, sent, early = Counter(), Counter(), set()
    for upstream in upstreams.values():
        submitted += upstream.submitted
        sent += upstream.sent
        early |= upstream.early
    assert max(submitted.values()) == 1, "an upstream got a message twice"
    for system_id, app in applications.items():
        assert len(app.accepted) > 500, "the test is void"
        assert len(set(app.accepted.values())) == len(app.accepted)
        assert not app.accepted.keys() - submitted.keys(), "accepted, and no upstream has it"
        for (message_id, body), count in app.receipts.items():
            assert body.startswith(system_id.encode() + b"-"), "a receipt at the wrong application"
            assert app.accepted.get(body, message_id) == message_id, "a receipt with a wrong id"
            assert count == 1 or sent[body] > 1 or body in early, "a receipt twice, and no answer was lost"
    assert not missing(applications, upstreams), "acknowledged receipts that no application got"


@pytest.mark.parametrize("seed", [1])
def test_nothing_acknowledged_is_lost(smscd, redis_server, seed):
    # With "everysec" a Redis that is killed while the disk is busy may lose what it has acknowledged (README).
    redis = redis_server(appendonly="yes", appendfsync="always")

    async def run():
        upstreams = {name: Upstream(name) for name in ("eu", "us")}
        binds = []
        for name, upstream in upstreams.items():
            await upstream.listen()
            binds.append({"name": name, "host": "127.0.0.1", "port": upstream.port, "system_id": "g", "password": "p"})
            binds[-1] |= {"reconnect_min_ms": 50, "reconnect_max_ms": 300}
        routing = {
            "default_chain": ["bind:eu", "bind:us"],
            "rules": [{"name": "us", "prefix": "1", "chain": ["bind:us", "bind:eu"]}],
        }
        daemon = await asyncio.to_thread(
            smscd, SCRIPT, workers=2, binds=binds, routing=routing, redis={"url": redis.url, "timeout_ms": 500}
        )
        applications, undelivered = await play(daemon, upstreams, redis, seed)
        for app in applications.values():
            dups = sum(count - 1 for count in app.receipts.values())
            print(app.system_id, app.number, len(app.accepted), app.refused, len(app.receipts), dups, app.rebinds)
        assert undelivered == 0, "receipts that are refused for ever"
        judge(applications, upstreams)

    asyncio.run(run())
