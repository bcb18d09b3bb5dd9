"""At a reload the script is compiled in a process of its own, once for all workers: who compiles, what they then run,
and what happens when that process cannot."""

import os
import resource
import signal
from pathlib import Path

from lib import proc
from lib.daemon import OPEN

# Counts what this process compiles of the script's folder; the hook outlives a reload.
WATCH = (
    OPEN
    + """
import sys

def watch(event, args):
    if event == "compile" and str(args[1]).startswith(os.path.dirname(__file__)):
        sys.compiled_here.append(os.path.basename(args[1]))

if not hasattr(sys, "compiled_here"):
    sys.compiled_here = []
    sys.addaudithook(watch)
"""
)

ANSWER = """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id={})
"""


def answer(what):
    return ANSWER.format(what)


def long_script(message_id, lines=60000):
    return OPEN + "".join(f"def f{n}(x): return x + {n}\n" for n in range(lines)) + answer(repr(message_id))


def compilers(daemon):
    names = {p: Path(f"/proc/{p}/comm") for p in proc.children(daemon.pid)}
    return [p for p, comm in names.items() if comm.exists() and "compiler" in comm.read_text()]


def test_no_worker_compiles(smscd):
    """Nor what the script imports, in a package, in a module of that, or in a function."""
    daemon = smscd(start=False, workers=2)
    (daemon.dir / "package").mkdir()
    (daemon.dir / "package" / "inner").mkdir()
    daemon.write_script("from . import part\nfrom .inner import deep\n", "package/__init__.py")
    daemon.write_script("", "package/inner/__init__.py")
    script = """
import package, beside

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    import lazy
    found = [beside.N, package.part.N, package.deep.N, lazy.N]
    return pdu.reply(message_id=f"{found} {len(sys.compiled_here)}")
"""

    def write(n):
        for name in ("beside.py", "package/part.py", "package/inner/deep.py", "lazy.py"):
            daemon.write_script(f"N = {n}\n", name)
        daemon.write_script(WATCH + script)

    write(1)
    daemon.start()
    mark = daemon.log.mark()
    with daemon.bind() as one, daemon.bind() as two:
        write(2)
        assert "script loaded in 2 workers" in daemon.reload().text
        assert {one.submit().message_id, two.submit().message_id} == {"[2, 2, 2, 2] 5"}, "only at the start"
        assert len(daemon.log.find("compiler: process .* has compiled", mark)) == 1


def test_one_worker_has_it_compiled(smscd):
    daemon = smscd(WATCH + answer("f'v1 {sys.compiled_here}'"))
    with daemon.bind() as esme:
        daemon.write_script(WATCH + answer("f'v2 {sys.compiled_here}'"))
        mark = daemon.log.mark()
        daemon.signal(signal.SIGHUP, daemon.worker_pids()[0])
        daemon.log.wait("worker 0: script .* loaded", since=mark)
        assert esme.submit().message_id == "v2 []"
        assert len(daemon.log.find("compiler: process .* has compiled", mark)) == 1
        assert not daemon.log.find("master: reload", mark), "the master's word is about reloads of all"


def test_answers_while_it_compiles(smscd):
    daemon = smscd(OPEN + answer("'v1'"))
    with daemon.bind() as esme:
        daemon.write_script(long_script("v2"))
        daemon.signal(signal.SIGHUP)
        proc.wait_until(lambda: compilers(daemon), what="the process that compiles")
        answers = 0
        while not daemon.log.find("compiler: process .* has compiled|master: reload"):
            assert esme.submit().message_id in ("v1", "v2")
            answers += 1
        assert answers > 10
        proc.wait_until(lambda: esme.submit().message_id == "v2", what="the new script")


def test_every_worker_runs_what_was_compiled(smscd):
    """Files that change before a worker gets to load them give no mix: it runs what the others run."""
    daemon = smscd(start=False)
    daemon.write_script("N = 1\n", "beside.py")
    daemon.write_script(OPEN + "import beside\n" + answer("f'v1 {beside.N}'"))
    daemon.start()
    (worker,) = daemon.worker_pids()
    with daemon.bind() as esme:
        daemon.write_script("N = 2\n", "beside.py")
        daemon.write_script(OPEN + "import beside\n" + answer("f'v2 {beside.N}'"))
        daemon.signal(signal.SIGSTOP, worker)
        try:
            daemon.signal(signal.SIGHUP)
            daemon.log.wait("compiler: process .* has compiled")
            daemon.write_script("N = 3\n", "beside.py")
            daemon.write_script("1 / 0\n")
        finally:
            daemon.signal(signal.SIGCONT, worker)
        assert "script loaded in 1 workers" in daemon.log.wait("master: reload").text
        assert esme.submit().message_id == "v2 2"


def test_a_module_that_the_script_writes(smscd):
    """It changes after it was compiled, and is what the script has just made."""
    daemon = smscd(
        OPEN
        + """
import pathlib
made = pathlib.Path(__file__).with_name("made.py")
old = int(made.read_text().split()[2]) if made.exists() else 0
made.write_text(f"N = {old + 1}\\n")
import made
"""
        + answer("str(made.N)")
    )
    with daemon.bind() as esme:
        for n in (1, 2, 3):
            assert esme.submit().message_id == str(n)
            assert "script loaded" in daemon.reload().text


def test_a_module_with_an_error(smscd):
    daemon = smscd(start=False)
    daemon.write_script("N = 1\n", "beside.py")
    daemon.write_script(OPEN + "import beside\n" + answer("str(beside.N)"))
    daemon.start()
    with daemon.bind() as esme:
        daemon.write_script("N = 2\nif N\n    pass\n", "beside.py")
        word = daemon.reload()
        assert word.level == "error"
        assert f"worker 0: {daemon.dir}/beside.py:2: SyntaxError: expected ':'" in word.text
        assert esme.submit().message_id == "1"
        daemon.write_script("N = 3\n", "beside.py")
        assert "script loaded" in daemon.reload().text
        assert esme.submit().message_id == "3"


def test_an_error_in_a_module_that_is_not_imported(smscd):
    daemon = smscd(start=False)
    daemon.write_script("this is no Python\n", "beside.py")
    script = OPEN + "try:\n    import beside\nexcept SyntaxError as e:\n    ERROR = f'{type(e).__name__} {e.lineno}'\n"
    daemon.write_script(script + answer("ERROR"))
    daemon.start()
    with daemon.bind() as esme:
        assert esme.submit().message_id == "SyntaxError 1"
        daemon.write_script("def f():\nx = 1\n", "beside.py")
        assert "script loaded" in daemon.reload().text
        assert esme.submit().message_id == "IndentationError 2"


def test_the_compiler_is_killed(smscd):
    daemon = smscd(OPEN + answer("'v1'"))
    with daemon.bind() as esme:
        daemon.write_script(long_script("v2"))
        daemon.signal(signal.SIGHUP)
        (pid,) = proc.wait_until(lambda: compilers(daemon), what="the process that compiles")
        os.kill(pid, signal.SIGKILL)
        word = daemon.log.wait("master: reload")
        assert "nothing is changed" in word.text and "killed by signal 9" in word.text
        assert esme.submit().message_id == "v1"
        daemon.write_script(OPEN + answer("'v3'"))
        assert "script loaded" in daemon.reload().text
        assert esme.submit().message_id == "v3"


def test_where_it_cannot_be_compiled_the_worker_does(smscd):
    daemon = smscd(WATCH + answer("f'v1 {sys.compiled_here}'"))
    with daemon.bind() as esme:
        daemon.write_script(WATCH + answer("f'v2 {sys.compiled_here}'"))
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, 1000))
        mark = daemon.log.mark()
        daemon.signal(signal.SIGHUP, daemon.worker_pids()[0])
        daemon.log.wait("worker 0: script .* loaded", since=mark)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (min(1000, limits[0]), 1000))
        assert daemon.log.find("warn master: compiler: .*the workers compile the script themselves", mark)
        assert esme.submit().message_id == "v2 ['script.py', 'e2e_record.py']"


def test_the_end_while_it_compiles(smscd):
    daemon = smscd(OPEN + answer("'v1'"))
    daemon.write_script(long_script("v2"))
    daemon.signal(signal.SIGHUP)
    proc.wait_until(lambda: compilers(daemon), what="the process that compiles")
    assert daemon.stop() == 0
    assert not daemon.leftovers()
