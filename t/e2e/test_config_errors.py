"""What is wrong is said at the start, in one message: where, what was found, what is expected."""

import socket

import pytest
from lib import libconfig
from lib.daemon import OPEN


def fails(daemon, *words):
    """Both -t and a real start end with a status that is not 0 and a message with all the words."""
    for arguments in (["-t", "-c", daemon.conf_path], ["-c", daemon.conf_path]):
        done = daemon.run(*arguments)
        assert done.returncode not in (0, -6, -11), done
        output = done.stdout + done.stderr
        for word in words:
            assert str(word).lower() in output.lower(), (word, output)
        assert "Traceback" not in output or "script.py" in output
        assert len(output.strip().splitlines()) <= 12, output
    assert not daemon.leftovers()


def line_of(daemon, text):
    return next(n for n, line in enumerate(daemon.conf_path.read_text().splitlines(), 1) if text in line)


WRONG = {
    "unknown name": ({"nonsense": 1}, "nonsense"),
    "unknown in group": ({"server": {"prot": 1}}, "prot"),
    "unknown in a bind": ({"binds": [{"name": "eu", "host": "h", "hots": "x"}]}, "hots"),
    "string for a number": ({"workers": "many"}, "workers", "many"),
    "number for a string": ({"script": 5}, "script", "string"),
    "group for a number": ({"workers": {"a": 1}}, "workers"),
    "boolean for a number": ({"handler_timeout_ms": True}, "handler_timeout_ms"),
    "float for a number": ({"workers": libconfig.Raw("1.5")}, "workers"),
    "negative": ({"handler_timeout_ms": -1}, "handler_timeout_ms", "-1"),
    "port too large": ({"server": {"port": 65536}}, "port", "65536"),
    "too large for 32 bits": ({"handler_timeout_ms": libconfig.Raw("4294967297")}, "handler_timeout_ms"),
    "much too large": ({"handler_timeout_ms": libconfig.Raw("99999999999999999999")}, "handler_timeout_ms"),
    "unknown choice": ({"log": {"level": "loud"}}, "level", "loud", "debug"),
    "unknown bind type": (
        {"binds": [{"name": "eu", "host": "h", "system_id": "s", "password": "p", "bind_type": "both"}]},
        "bind_type",
        "both",
    ),
    "bind without a host": ({"binds": [{"name": "eu", "system_id": "s", "password": "p"}]}, "host"),
    "two binds of one name": (
        {"binds": [{"name": "eu", "host": "h", "system_id": "s", "password": "p"}] * 2},
        "eu",
    ),
    "binds of one environment name": (
        {"binds": [{"name": n, "host": "h", "system_id": "s", "password": "p"} for n in ("a-b", "a_b")]},
        "a_b",
    ),
    "chain to no bind": ({"routing": {"default_chain": ["bind:nowhere"]}}, "nowhere"),
    "undefined variable": ({"script": "${SMSCD_NOT_DEFINED}"}, "SMSCD_NOT_DEFINED"),
    "redis url": ({"redis": {"url": "http://x"}}, "redis.url", "unix://"),
    "rediss": ({"redis": {"url": "rediss://x"}}, "rediss"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting(smscd, case):
    settings, *words = WRONG[case]
    daemon = smscd(OPEN, start=False, **settings)
    fails(daemon, "smscd.conf", *words)


def test_address_that_is_none(smscd):
    daemon = smscd(start=False, server={"bind_address": "not.an.address"})
    done = daemon.run("-c", daemon.conf_path)
    assert done.returncode == 1
    assert "bind_address" in done.stderr and "not.an.address" in done.stderr


def test_says_the_line(smscd):
    daemon = smscd(OPEN, start=False, nonsense=1)
    fails(daemon, f"smscd.conf:{line_of(daemon, 'nonsense')}")


def test_syntax_error(smscd):
    daemon = smscd(OPEN, start=False)
    daemon.write_conf('script = "script.py";\nserver = { port = 1\n')
    fails(daemon, "smscd.conf", "syntax")


@pytest.mark.parametrize("args", [["-t", "-c"], ["-c"]])
def test_missing_configuration(smscd, args):
    daemon = smscd(OPEN, start=False)
    done = daemon.run(*args, daemon.dir / "missing.conf")
    assert done.returncode not in (0, -6, -11)
    assert "missing.conf" in done.stderr


def test_missing_script(smscd):
    daemon = smscd(OPEN, start=False)
    daemon.script_path.unlink()
    fails(daemon, "script.py")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (OPEN + "\ndef broken(:\n    pass\n", ["SyntaxError", "script.py:10"]),
        (OPEN + "\nimport no_such_module_here\n", ["ModuleNotFoundError", "no_such_module_here"]),
        (OPEN + "\n1 / 0\n", ["ZeroDivisionError", "script.py:10"]),
        (OPEN + "\nraise SystemExit(0)\n", ["SystemExit"]),
        (OPEN + '\n@smpp.on_pdu("no_such_sm")\nasync def x(pdu, session): pass\n', ["ValueError", "no_such_sm"]),
        (OPEN + '\n@smpp.on_session("binding")\nasync def x(session): pass\n', ["ValueError", "binding"]),
    ],
    ids=["syntax", "import", "exception", "exit", "command", "event"],
)
def test_broken_script(smscd, script, words):
    fails(smscd(script, start=False), *words)


def test_port_in_use(smscd):
    daemon = smscd(OPEN, start=False)
    with socket.create_server(("127.0.0.1", daemon.port)):
        done = daemon.run("-c", daemon.conf_path)
    assert done.returncode not in (0, -6, -11)
    assert str(daemon.port) in done.stderr
    assert "in use" in done.stderr.lower()
    assert not daemon.leftovers()


def test_second_smscd_in_the_same_run_dir(smscd):
    first = smscd(OPEN)
    second = smscd(OPEN, start=False, run_dir=str(first.dir / "run"))
    done = second.run("-c", second.conf_path)
    assert done.returncode not in (0, -6, -11)
    assert "run" in done.stderr
    with first.bind() as esme:
        assert esme.submit().status == 0


def test_good_configuration(smscd):
    daemon = smscd(OPEN, start=False)
    done = daemon.run("-t", "-c", daemon.conf_path)
    assert done.returncode == 0, done
    assert not daemon.leftovers()


def test_version(smscd):
    done = smscd(OPEN, start=False).run("-V")
    assert done.returncode == 0
    assert "smscd" in done.stdout + done.stderr
    assert any(c.isdigit() for c in done.stdout + done.stderr)


@pytest.mark.parametrize("args", [["--nonsense"], ["-c"], []])
def test_usage(smscd, args):
    done = smscd(OPEN, start=False).run(*args)
    assert done.returncode not in (0, -6, -11)
    assert "-c" in done.stderr


def test_check_does_not_disturb_a_running_one(smscd):
    daemon = smscd(OPEN)
    assert daemon.run("-t", "-c", daemon.conf_path).returncode == 0
    with daemon.bind() as esme:
        assert esme.submit().status == 0


def test_relative_paths_and_variables(smscd, tmp_path):
    """Relative to the file, whatever the working directory; ${NAME} and ${NAME:-default} from the environment."""
    daemon = smscd(
        OPEN,
        start=False,
        environ={"E2E_SCRIPT": "script", "E2E_WORKERS": "2"},
        script="${E2E_SCRIPT}.py",
        workers="${E2E_WORKERS}",
        run_dir="${E2E_NOT_SET:-elsewhere}",
    )
    daemon.start()
    assert len(daemon.worker_pids()) == 2
    assert (daemon.dir / "elsewhere").is_dir()


def test_include(smscd):
    daemon = smscd(OPEN, start=False)
    (daemon.dir / "more.conf").write_text(daemon.conf_path.read_text())
    daemon.write_conf('@include "more.conf"\n')
    daemon.start()
    with daemon.bind() as esme:
        assert esme.submit().status == 0


def test_python_path(smscd):
    daemon = smscd("import beside_the_path\nfrom siphon import smpp\n", start=False, python_path=["lib"])
    fails(daemon, "beside_the_path")
    (daemon.dir / "lib").mkdir()
    daemon.write_script("", "lib/beside_the_path.py")
    daemon.start()
