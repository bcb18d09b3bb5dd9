# Files of src/common: what master, worker and tools share.
noinst_LIBRARIES += libsmscd_common.a
libsmscd_common_a_CFLAGS = $(AM_CFLAGS) $(LIBCONFIG_CFLAGS)
libsmscd_common_a_SOURCES = \
	src/common/chan.c src/common/chan.h \
	src/common/conf.c src/common/conf.h src/common/conf_file.h src/common/conf_int.h \
	src/common/conf_bind.c \
	src/common/conf_each.c \
	src/common/conf_env.c \
	src/common/conf_scan.c \
	src/common/conf_table.c \
	src/common/conf_text.c \
	src/common/conf_value.c \
	src/common/conn.c src/common/conn.h \
	src/common/log.c src/common/log.h \
	src/common/msg.c src/common/msg.h \
	src/common/park.c src/common/park.h \
	src/common/pdu.c src/common/pdu.h \
	src/common/pdu_view.c \
	src/common/pending.c src/common/pending.h \
	src/common/receipt.c src/common/receipt.h \
	src/common/receipt_id.c src/common/receipt_id.h \
	src/common/session.c src/common/session.h src/common/session_int.h \
	src/common/session_in.c \
	src/common/session_out.c \
	src/common/smpp.c src/common/smpp.h \
	src/common/stats.c src/common/stats.h \
	src/common/throttle.c src/common/throttle.h \
	src/common/util.c src/common/util.h \
	src/common/wire.h
