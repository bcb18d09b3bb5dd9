# Files of src/worker: one library that smscd links.
noinst_LIBRARIES += libsmscd_worker.a
libsmscd_worker_a_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_EMBED_CFLAGS)
libsmscd_worker_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
libsmscd_worker_a_SOURCES = \
	src/worker/esme.c src/worker/esme.h \
	src/worker/forward.c src/worker/forward.h \
	src/worker/gateway.c src/worker/gateway.h \
	src/worker/presence.c src/worker/presence.h \
	src/worker/py_alert.c \
	src/worker/py_cache.c \
	src/worker/py_call.c src/worker/py_call.h \
	src/worker/py_carrier.c src/worker/py_carrier.h \
	src/worker/py_config.c \
	src/worker/py_fields.c \
	src/worker/py_handlers.c \
	src/worker/py_host.c src/worker/py_host.h src/worker/py_int.h \
	src/worker/py_loop.c \
	src/worker/py_module.c \
	src/worker/py_pdu.c \
	src/worker/py_remember.c \
	src/worker/py_reply.c \
	src/worker/py_resp.c \
	src/worker/py_resume.c \
	src/worker/py_send.c \
	src/worker/py_task.c \
	src/worker/py_types.c \
	src/worker/py_wait.c src/worker/py_wait.h \
	src/worker/sends.c src/worker/sends.h \
	src/worker/store.c src/worker/store.h \
	src/worker/store_url.c src/worker/store_url.h \
	src/worker/upstream.c src/worker/upstream.h \
	src/worker/worker.c src/worker/worker.h src/worker/worker_int.h
