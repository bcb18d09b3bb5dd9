"""Kannel as an ESME: bearerbox binds, smsbox takes messages by HTTP and reports each status to an HTTP server here."""

import http.client
import shutil
import subprocess
import tempfile
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from lib import proc

CONFIGURATION = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = admin
smsbox-port = {box}
box-allow-ip = "127.0.0.1"
log-file = "{dir}/bearerbox.log"
log-level = 1

group = smsc
smsc = smpp
smsc-id = smscd
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = {system_id}
smsc-password = {password}
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-interface = 127.0.0.1
sendsms-port = {http}
global-sender = 1000
log-file = "{dir}/smsbox.log"
log-level = 1
http-request-retry = 0

group = sendsms-user
username = user
password = pass

group = sms-service
keyword = default
max-messages = 0
text = ""
"""
DELIVERED, FAILED, ACCEPTED, REFUSED = 1, 2, 8, 16


class Reports:
    """The HTTP server that Kannel calls: `seen[n]` lists what came for message n, `texts[n, type]` has its text."""

    def __init__(self):
        self.seen, self.texts = defaultdict(list), {}
        self.changed = threading.Condition()
        reports = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = parse_qs(urlsplit(self.path).query)
                n, kind = int(query["n"][0]), int(query["type"][0])
                with reports.changed:
                    reports.texts[n, kind] = query.get("text", [""])[0]
                    reports.seen[n].append(kind)
                    reports.changed.notify_all()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count, timeout):
        """Waits until so many reports have come."""
        with self.changed:
            self.changed.wait_for(lambda: sum(map(len, self.seen.values())) >= count, timeout)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Kannel:
    def __init__(self, port, system_id, password, window):
        self.dir = Path(tempfile.mkdtemp(prefix="kannel-", dir="/tmp"))
        self.http, self.box = proc.free_port(), proc.free_port()
        ports = {"admin": proc.free_port(), "box": self.box, "http": self.http, "port": port}
        text = CONFIGURATION.format(dir=self.dir, system_id=system_id, password=password, window=window, **ports)
        (self.dir / "kannel.conf").write_text(text)
        self.processes, self.reports = [], Reports()
        self.run("bearerbox", self.box)
        self.run("smsbox", self.http)

    def run(self, program, port):
        path = shutil.which(program, path="/usr/sbin:/usr/bin")
        output = (self.dir / f"{program}.out").open("wb")
        arguments = [path, self.dir / "kannel.conf"]
        self.processes.append(subprocess.Popen(arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL))
        proc.wait_until(lambda: proc.listens(port), 20, f"{program} on port {port}")

    def send(self, count):
        """So many messages into smsbox, over a few connections."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.send_some, [range(n, count, 4) for n in range(4)]))

    def send_some(self, numbers):
        for n in numbers:
            report = f"{self.reports.url}?n={n}&type=%d&text=%A"
            query = {"username": "user", "password": "pass", "to": f"4477009{n:05}", "text": f"kannel {n}"}
            query |= {"dlr-mask": DELIVERED | FAILED | ACCEPTED | REFUSED, "dlr-url": report}
            connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
            connection.request("GET", "/cgi-bin/sendsms?" + urlencode(query))
            answer = connection.getresponse()
            assert answer.status == 202, (answer.status, answer.read())
            connection.close()

    def log(self):
        return "".join(f"--- {p.name}\n{p.read_text(errors='replace')[-4000:]}" for p in self.dir.glob("*.log"))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.reports.close()
        shutil.rmtree(self.dir, ignore_errors=True)
