# SMSCD_LIB(VARIABLE, PKG-CONFIG MODULE, DEBIAN PACKAGE): sets VARIABLE_CFLAGS and VARIABLE_LIBS, or notes the package
# as missing; SMSCD_MISSING then names them all at once.
AC_DEFUN([SMSCD_LIB],
  [PKG_CHECK_MODULES([$1], [$2], [], [SMSCD_NOTE_MISSING([$2], [$3])])])

# SMSCD_HEADER_LIB(VARIABLE, HEADER, LIBRARY, FUNCTION, DEBIAN PACKAGE): for what has no pkg-config file.
AC_DEFUN([SMSCD_HEADER_LIB],
  [smscd_found=no
   AC_CHECK_HEADER([$2], [AC_CHECK_LIB([$3], [$4], [smscd_found=yes])])
   AS_IF([test $smscd_found = yes], [$1_LIBS=-l$3], [SMSCD_NOTE_MISSING([$3], [$5])])
   AC_SUBST([$1_LIBS])])

# SMSCD_HEADER(HEADER, DEBIAN PACKAGE)
AC_DEFUN([SMSCD_HEADER],
  [AC_CHECK_HEADER([$1], [], [SMSCD_NOTE_MISSING([$1], [$2])])])

AC_DEFUN([SMSCD_NOTE_MISSING],
  [smscd_missing="$smscd_missing
  $1 [(]Debian: $2[)]"
   smscd_packages="$smscd_packages $2"])

AC_DEFUN([SMSCD_MISSING],
  [AS_IF([test -n "$smscd_packages"], [AC_MSG_ERROR([libraries are missing:$smscd_missing
on Debian: apt-get install$smscd_packages])])])

# SMSCD_PYTHON: the interpreter to embed. Sets PYTHON (its real, absolute path), PYTHON_VERSION,
# PYTHON_EMBED_CFLAGS and PYTHON_EMBED_LIBS, all as that interpreter itself gives them.
AC_DEFUN([SMSCD_PYTHON],
  [AC_ARG_VAR([PYTHON], [the Python 3.11+ to embed (default: /usr/bin/python3, else python3 of PATH)])
   AC_MSG_CHECKING([for a Python to embed])
   smscd_python_found=no
   smscd_python_tried=
   AS_IF([test -n "$PYTHON"], [smscd_candidates=$PYTHON], [smscd_candidates="/usr/bin/python3 python3"])
   for smscd_candidate in $smscd_candidates; do
     smscd_answer=`$smscd_candidate "$srcdir/scripts/python_embed.py" 2>&1`
     AS_IF([test $? -eq 0], [smscd_python_found=yes; break])
     smscd_python_tried="$smscd_python_tried
  $smscd_candidate: $smscd_answer"
   done
   AC_MSG_RESULT([$smscd_python_found])
   AS_IF([test $smscd_python_found = no], [AC_MSG_ERROR([no Python 3.11 or newer that can be embedded:$smscd_python_tried
on Debian: apt-get install python3-dev])])
   eval "$smscd_answer"
   AC_SUBST([PYTHON_VERSION])
   AC_SUBST([PYTHON_EMBED_CFLAGS])
   AC_SUBST([PYTHON_EMBED_LIBS])
   SMSCD_PYTHON_LINKS])

AC_DEFUN([SMSCD_PYTHON_LINKS],
  [AC_MSG_CHECKING([whether $PYTHON can be linked with])
   smscd_cflags=$CFLAGS; smscd_libs=$LIBS
   CFLAGS="$CFLAGS $PYTHON_EMBED_CFLAGS"; LIBS="$PYTHON_EMBED_LIBS $LIBS"
   AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <Python.h>]], [[Py_Initialize();]])],
     [AC_MSG_RESULT([yes])],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([cannot link with the Python library of $PYTHON ($PYTHON_EMBED_LIBS): see config.log])])
   CFLAGS=$smscd_cflags; LIBS=$smscd_libs])
