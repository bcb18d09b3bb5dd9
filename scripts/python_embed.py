"""Prints, as shell assignments, how to embed the interpreter that runs this; or why it cannot be, and exits 1.

Run by configure. Everything comes from the interpreter's own sysconfig, so that headers, library and
byte code belong together whatever else is in PATH.
"""

import os
import shlex
import sys
import sysconfig

OLDEST = (3, 11)


def fail(reason):
    sys.stdout.write(reason + "\n")
    sys.exit(1)


def main():
    version = "%d.%d" % sys.version_info[:2]
    if sys.version_info < OLDEST:
        fail("is Python %s, %d.%d or newer is needed" % ((version,) + OLDEST))
    include = sysconfig.get_config_var("INCLUDEPY")
    if not os.path.exists(os.path.join(include, "Python.h")):
        fail("has no Python.h in %s (Debian: python3-dev)" % include)
    library_dir = sysconfig.get_config_var("LIBDIR")
    library = os.path.join(library_dir, "libpython%s%s.so" % (version, sys.abiflags))
    if not os.path.exists(library):
        fail("has no libpython: %s is not there (built without --enable-shared?)" % library)
    libs = "-L%s -lpython%s%s" % (library_dir, version, sys.abiflags)
    if not library_dir.startswith(("/usr/lib", "/lib")):
        libs += " -Wl,-rpath,%s" % library_dir
    values = {
        "PYTHON": os.path.abspath(sys.executable),
        "PYTHON_VERSION": "%d.%d.%d" % sys.version_info[:3],
        "PYTHON_EMBED_CFLAGS": "-isystem %s" % include,
        "PYTHON_EMBED_LIBS": libs,
    }
    for name, value in values.items():
        sys.stdout.write("%s=%s\n" % (name, shlex.quote(value)))


main()
