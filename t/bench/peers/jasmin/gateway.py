#!/usr/bin/env python3
"""scripts/bench --peers: Jasmin with a RabbitMQ and a Redis of its own, on free ports of loopback, between one
application (esme1, s3cret) and one upstream. Arguments: folder of the virtual environment, folder for files, port,
upstream's port.

Runs until SIGTERM or until whoever started it is gone, and then ends all that it started. The receipts are looked up
and sent by daemons of their own, as Jasmin recommends, nothing is logged, no throughput is limited."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CID = "upstream"
LOGS = [
    "SMPP_SERVER",
    "SMPP_SERVER_PB",
    "CLIENT_MANAGEMENT",
    "SERVICE_SMPPCLIENT",
    "SM_LISTENER",
    "AMQP_BROKER",
    "ROUTER",
]
LOGS += ["DLR", "DLR_THROWER", "DELIVERSM_THROWER", "REDIS_CLIENT", "JCLI"]
LOCKS = ["/tmp/jasmind.lock", "/tmp/dlrd-bench.lock", "/tmp/dlrlookupd-bench.lock"]  # of Jasmin: stale when killed


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come up within {seconds} s")
        time.sleep(0.2)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    """What we started, each a process group of its own."""

    def __init__(self, directory):
        self.dir = directory
        self.started = []

    def start(self, name, command, **env):
        with open(self.dir / f"{name}.out", "wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.dir,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def stop(self):
        for process in reversed(self.started):
            self._signal(process, signal.SIGTERM)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pass
            self._signal(process, signal.SIGKILL)
            process.wait()

    @staticmethod
    def _signal(process, number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass


def start_redis(processes):
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    processes.start("redis", command)
    wait_for("Redis", lambda: answers(port))
    return port


def start_rabbitmq(processes):
    """RabbitMQ and the port mapper of Erlang: Debian's, with nothing of what is under /etc and /var."""
    script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    if not os.path.exists(script) or not shutil.which("epmd"):
        raise RuntimeError("rabbitmq-server is not installed")
    port, mapper = free_port(), free_port()
    files = processes.dir / "rabbitmq"
    files.mkdir()
    (files / "plugins").write_text("[].\n")
    env = {
        "HOME": str(files),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(files / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(files / "plugins"),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(files / "mnesia"),
        "RABBITMQ_LOG_BASE": str(files / "log"),
        "RABBITMQ_PID_FILE": str(files / "pid"),
    }
    processes.start("epmd", ["epmd", "-port", str(mapper), "-address", "127.0.0.1"])
    wait_for("epmd", lambda: answers(mapper))
    processes.start("rabbitmq", [script], **env)
    wait_for("RabbitMQ", lambda: answers(port))
    return port, env


def consumers(env):
    """The queues of RabbitMQ that somebody reads."""
    command = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "list_consumers", "queue_name"]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True).stdout.split()


def spec(venv):
    """The description of AMQP that Jasmin's client reads; it comes with txAMQP."""
    return str(next(Path(venv).glob("lib/*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml")))


def environment(venv, directory, port, amqp, redis):
    """Jasmin's settings: each "[section] option" is SECTION_OPTION."""
    pb = str(free_port())
    for name in ("store", "resource", "log"):
        (directory / name).mkdir()
    env = {f"{section}_LOG_LEVEL": "CRITICAL" for section in LOGS}
    for section in ("SMPP_SERVER", "CLIENT_MANAGEMENT", "ROUTER", "SMPP_SERVER_PB", "JCLI"):
        env[f"{section}_BIND"] = "127.0.0.1"
    return {
        **env,
        "CONFIG_PATH": str(directory),
        "STORE_PATH": str(directory / "store"),
        "RESOURCE_PATH": str(directory / "resource"),
        "LOG_PATH": str(directory / "log"),
        "SMPP_SERVER_PORT": str(port),
        "CLIENT_MANAGEMENT_PORT": str(free_port()),
        "ROUTER_PORT": str(free_port()),
        "SMPP_SERVER_PB_PORT": pb,
        "SMPP_SERVER_PB_CLIENT_PORT": pb,
        "JCLI_PORT": str(free_port()),
        "JCLI_AUTHENTICATION": "no",
        "AMQP_BROKER_PORT": str(amqp),
        "AMQP_BROKER_SPEC": spec(venv),
        "REDIS_CLIENT_PORT": str(redis),
        # A receipt that overtakes its answer is looked up again, by default after 10 s and then once more.
        "DLR_DLR_LOOKUP_RETRY_DELAY": "1",
        "DLR_DLR_LOOKUP_MAX_RETRIES": "20",
    }


class Console:
    """Jasmin's console, jCli. Its greeting has no prompt: it is read with the first answer."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def _answer(self):
        """What it says up to its next prompt."""
        said = b""
        while not said.rstrip(b" ").endswith((b"jcli :", b"\n>")):
            data = self.socket.recv(4096)
            if not data:
                raise RuntimeError(f"jCli is gone: {said!r}")
            said += data
        return said.decode(errors="replace")

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self._answer()

    def add(self, command, **settings):
        """`command -a` with its settings; type has to come first."""
        self.say(f"{command} -a")
        for name, value in settings.items():
            self.say(f"{name} {value}")
        said = self.say("ok")
        if "Successfully" not in said:
            raise RuntimeError(f"jCli: {command}: {said}")


def configure(console, upstream):
    console.add(
        "smppccm",
        cid=CID,
        host="127.0.0.1",
        port=upstream,
        username="jasmin",
        password="secret",
        submit_throughput=0,
        loglevel=50,
    )
    said = console.say(f"smppccm -1 {CID}")
    if "Successfully" not in said:
        raise RuntimeError(f"jCli: {said}")
    wait_for("the bind to the upstream", lambda: "BOUND_TRX" in console.say("smppccm --list"))
    console.add("mtrouter", type="defaultroute", connector=f"smppc({CID})", rate="0.00")
    console.add("group", gid="applications")
    console.add("user", username="esme1", password="s3cret", gid="applications", uid="esme1")


def start(processes, venv, port, upstream):
    (amqp, rabbitmq), redis = start_rabbitmq(processes), start_redis(processes)
    env = environment(venv, processes.dir, port, amqp, redis)
    python = f"{venv}/bin/python"
    scripts = {"jasmind": ["--disable-http-api"], "dlrlookupd": ["-i", "bench"], "dlrd": ["-i", "bench"]}
    for name, arguments in scripts.items():
        command = [python, str(HERE / "nodelay.py"), f"{venv}/bin/{name}.py", *arguments]
        processes.start(name, command, **env)
        if name == "jasmind":
            wait_for("Jasmin", lambda: answers(int(env["JCLI_PORT"])))
    configure(Console(int(env["JCLI_PORT"])), upstream)
    wait_for("Jasmin's daemons for receipts", lambda: {"DLRLookup-main", "dlr_thrower"} <= set(consumers(rabbitmq)))


def main():
    venv, directory, port, upstream = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    ours = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    processes = Processes(directory)
    locks = []
    try:
        start(processes, venv, port, upstream)
        locks = LOCKS  # ours, as it runs
        print("listening", flush=True)
        while os.getppid() == ours:
            time.sleep(0.5)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        processes.stop()
        for lock in locks:
            Path(lock).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
