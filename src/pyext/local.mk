# Files of src/pyext: the _siphon module outside a worker. pyshim/setup.py builds it; a release has them along.
EXTRA_DIST += \
	src/pyext/compat/utlist.h \
	src/pyext/ext.h \
	src/pyext/ext_call.c \
	src/pyext/ext_conf.c \
	src/pyext/ext_gateway.c \
	src/pyext/ext_log.c \
	src/pyext/ext_module.c \
	src/pyext/ext_pdu.c
