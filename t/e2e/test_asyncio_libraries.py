"""Libraries that applications are made of, in handlers: database drivers, and a web server beside the messages."""

import asyncio
import json
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN
from lib.postgres import Postgres

# Each handler runs once without having suspended before the driver is called, once after.
HANDLER = """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    if pdu.body.startswith(b"late"):
        await asyncio.sleep(0)
    return pdu.reply(message_id=str(await route(pdu.destination_addr)))
"""

POSTGRES = """
import asyncpg
pool = None

async def route(number):
    global pool
    if pool is None:
        pool = await asyncpg.create_pool(host={dir!r}, user="postgres", min_size=0, max_size=4, timeout=10)
    async with pool.acquire() as db, db.transaction():
        await db.execute("INSERT INTO sent (number) VALUES ($1)", number)
        return await db.fetchval("SELECT bind FROM route WHERE $1 LIKE prefix || '%'", number)
"""

REDIS = """
import redis.asyncio
db = redis.asyncio.Redis(host="127.0.0.1", port={port}, decode_responses=True, retry=None)

async def route(number):
    async with db.pipeline() as both:
        found, _ = await both.get("route:" + number[:2]).rpush("sent", number).execute()
    return found
"""


class PostgresRoutes:
    def __init__(self, redis_server):
        self.server = Postgres().start()
        self.script = POSTGRES.format(dir=str(self.server.dir))
        self.run(
            "execute",
            "CREATE TABLE route (prefix text, bind text); CREATE TABLE sent (number text);"
            "INSERT INTO route VALUES ('43', 'at'), ('49', 'de')",
        )

    def run(self, method, sql):
        async def connected():
            db = await asyncpg.connect(host=str(self.server.dir), user="postgres")
            try:
                return await getattr(db, method)(sql)
            finally:
                await db.close()

        return asyncio.run(connected())

    def sent(self):
        return sorted(row["number"] for row in self.run("fetch", "SELECT number FROM sent"))

    def stop(self):
        self.server.stop()

    def start(self):
        self.server.start()

    def destroy(self):
        self.server.destroy()


class RedisRoutes:
    def __init__(self, redis_server):
        self.server = redis_server()
        self.script = REDIS.format(port=self.server.port)
        self.fill()

    def fill(self):
        self.server.client().mset({"route:43": "at", "route:49": "de"})

    def sent(self):
        return sorted(self.server.client().lrange("sent", 0, -1))

    def stop(self):
        self.server.kill()

    def start(self):
        self.server.start()
        self.fill()

    def destroy(self):
        """The fixture `redis_server` does."""


@pytest.fixture(params=[PostgresRoutes, RedisRoutes], ids=["asyncpg", "redis"])
def routes(request, redis_server):
    """A database with routes, and the script that asks it."""
    made = request.param(redis_server)
    yield made
    made.destroy()


def test_database(smscd, routes):
    daemon = smscd(OPEN + routes.script + HANDLER, venv=sys.prefix)
    with daemon.bind() as esme:
        for text in (b"now", b"late"):
            assert esme.submit(text, destination_addr="43660").message_id == "at"
            assert esme.submit(text, destination_addr="49170").message_id == "de"
        # More at once than the pool has connections.
        for n in range(40):
            esme.send(
                "submit_sm",
                seq=100 + n,
                short_message=b"late" if n & 2 else b"now",
                destination_addr=f"{43 if n & 1 else 49}{n}",
            )
        for n in range(40):
            assert esme.expect("submit_sm_resp", 100 + n).message_id == ("at" if n & 1 else "de")
    assert routes.sent() == sorted(["43660", "49170"] * 2 + [f"{43 if n & 1 else 49}{n}" for n in range(40)])


@pytest.mark.parametrize("text", [b"now", b"late"])
def test_database_is_down(smscd, routes, text):
    """The driver's exception is ESME_RSYSERR to the one who asked; when the database is back, so are the answers."""
    daemon = smscd(OPEN + routes.script + HANDLER, venv=sys.prefix)
    with daemon.bind() as esme:
        assert esme.submit(text, destination_addr="43660").message_id == "at"
        routes.stop()
        for _ in range(3):
            assert esme.submit(text, destination_addr="43661").status == raw.ESME_RSYSERR
        daemon.log.wait("Error")
        esme.enquire()
        routes.start()
        assert esme.submit(text, destination_addr="49170").message_id == "de"


WEB = """
from aiohttp import web
seen = 0

async def send(request):
    ask, text = dict(request.query), await request.read()
    call = smpp.submit_via if "bind" in ask else smpp.deliver_to
    resp = await call(short_message=text, **ask)
    return web.json_response({"ok": resp.ok, "id": resp.message_id, "seen": seen})

async def serve():
    app = web.Application()
    app.router.add_post("/send", send)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    record("serving")

serving = asyncio.get_event_loop().create_task(serve())

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    global seen
    seen += 1
    await asyncio.sleep(0)
    return pdu.reply(message_id="m%d" % seen)
"""


def post(port, **query):
    url = f"http://127.0.0.1:{port}/send?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, b"from http", timeout=30) as answer:
        return json.load(answer)


def test_web_server_in_the_script(smscd, upstream):
    """It answers while messages flow, and what it is asked for goes out by SMPP, to either side."""
    port, smsc = proc.free_port(), upstream()
    eu = {"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "pw"}
    daemon = smscd(OPEN + f"PORT = {port}\n" + WEB, binds=[eu], venv=sys.prefix)
    up = smsc.accept_bind()
    daemon.wait_records("serving")
    with daemon.bind("app") as app, ThreadPoolExecutor(2) as threads:
        proc.wait_until(lambda: "bind eu: up" in daemon.log.text(), what="the bind")
        assert app.submit(b"first").message_id == "m1"
        for n in range(10):
            to_upstream = threads.submit(post, port, bind="eu", destination_addr=f"43{n}")
            to_app = threads.submit(post, port, system_id="app", destination_addr=f"49{n}")
            requests = [app.send("submit_sm", short_message=b"flows") for _ in range(20)]
            asked = up.expect("submit_sm")
            assert (asked.destination_addr, asked.short_message) == (f"43{n}", b"from http")
            delivered = app.expect("deliver_sm")
            assert (delivered.destination_addr, delivered.short_message) == (f"49{n}", b"from http")
            # Both HTTP requests wait for their answers: messages do not.
            assert all(app.expect("submit_sm_resp", seq).status == 0 for seq in requests)
            up.answer(asked, message_id=f"up{n}")
            app.answer(delivered)
            seen = 1 + 20 * (n + 1)
            assert to_upstream.result(30) == {"ok": True, "id": f"up{n}", "seen": seen}
            assert (to_app.result(30)["ok"], to_app.result()["seen"]) == (True, seen)
