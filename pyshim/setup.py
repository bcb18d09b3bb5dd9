"""Builds the package for tests of scripts: siphon, siphon_sdk, and _siphon from the C files of a worker.

Needs a compiler and Python's headers, nothing else. Nothing is left behind in the source tree.
"""

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

TOP = Path(__file__).resolve().parent.parent
SOURCE = TOP / "src"
COMMON = [
    "conf_bind",
    "conf_each",
    "conf_table",
    "conf_text",
    "pdu",
    "pdu_view",
    "receipt",
    "receipt_id",
    "smpp",
    "util",
]
OF_THE_WORKER_ONLY = {"py_host.c", "py_loop.c"}

if not SOURCE.is_dir():
    raise SystemExit(
        f"{SOURCE} is missing: build from smscd's source tree, or install the wheel of scripts/build_wheel"
    )


def version():
    return re.search(r"AC_INIT\(\[smscd\], \[([^]]+)\]", (TOP / "configure.ac").read_text()).group(1)


def sources():
    worker = [path for path in sorted((SOURCE / "worker").glob("py_*.c")) if path.name not in OF_THE_WORKER_ONLY]
    common = [SOURCE / "common" / f"{name}.c" for name in COMMON]
    return [*sorted((SOURCE / "pyext").glob("*.c")), *worker, SOURCE / "worker" / "gateway.c", *common]


class BuildExt(build_ext):
    """Compiles a copy of the files: setuptools writes its objects beside where they are."""

    def build_extension(self, ext):
        copy = Path(self.build_temp).resolve() / "src"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("*.o", "*.mk"))
        ext.sources = [str(copy / path.relative_to(SOURCE)) for path in sources()]
        ext.include_dirs = [str(copy / folder) for folder in ("common", "worker", "pyext")]
        ext.extra_compile_args += ["-idirafter", str(copy / "pyext" / "compat")]
        super().build_extension(ext)


scratch = tempfile.mkdtemp(prefix="smscd-sdk-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)

setup(
    version=version(),
    ext_modules=[
        Extension(
            "_siphon",
            [],
            define_macros=[("_GNU_SOURCE", None)],
            extra_compile_args=["-std=gnu11", "-fno-strict-aliasing", "-fvisibility=hidden"],
        )
    ],
    cmdclass={"build_ext": BuildExt},
    options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}},
)
