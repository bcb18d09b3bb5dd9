# Files of t/unit.

check_PROGRAMS += t/unit/test_msg
t_unit_test_msg_SOURCES = t/unit/test_msg.c
t_unit_test_msg_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_msg_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
TESTS += t/unit/test_msg

check_PROGRAMS += t/unit/test_chan
t_unit_test_chan_SOURCES = t/unit/test_chan.c
t_unit_test_chan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_chan_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
TESTS += t/unit/test_chan

check_PROGRAMS += t/unit/test_conf t/unit/test_log t/unit/test_util
t_unit_test_conf_SOURCES = t/unit/test_conf.c
t_unit_test_conf_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_conf_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBCONFIG_LIBS)
t_unit_test_log_SOURCES = t/unit/test_log.c
t_unit_test_log_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_log_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_util_SOURCES = t/unit/test_util.c
t_unit_test_util_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_util_LDADD = libsmscd_common.a $(CHECK_LIBS)
TESTS += t/unit/test_conf t/unit/test_log t/unit/test_util

check_PROGRAMS += t/unit/test_conn t/unit/test_pending t/unit/test_throttle t/unit/test_session \
	t/unit/test_session_in t/unit/test_session_out t/unit/test_session_end
t_unit_test_conn_SOURCES = t/unit/test_conn.c
t_unit_test_conn_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_conn_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
t_unit_test_pending_SOURCES = t/unit/test_pending.c
t_unit_test_pending_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_pending_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_throttle_SOURCES = t/unit/test_throttle.c
t_unit_test_throttle_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_throttle_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_session_SOURCES = t/unit/test_session.c t/unit/session_peer.h
t_unit_test_session_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_session_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
t_unit_test_session_in_SOURCES = t/unit/test_session_in.c t/unit/session_peer.h
t_unit_test_session_in_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_session_in_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
t_unit_test_session_out_SOURCES = t/unit/test_session_out.c t/unit/session_peer.h
t_unit_test_session_out_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_session_out_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
t_unit_test_session_end_SOURCES = t/unit/test_session_end.c t/unit/session_peer.h
t_unit_test_session_end_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_session_end_LDADD = libsmscd_common.a $(CHECK_LIBS) $(LIBEV_LIBS)
TESTS += t/unit/test_conn t/unit/test_pending t/unit/test_throttle t/unit/test_session \
	t/unit/test_session_in t/unit/test_session_out t/unit/test_session_end

check_PROGRAMS += t/unit/test_wire t/unit/test_smpp t/unit/test_pdu t/unit/test_receipt t/unit/test_receipt_id
t_unit_test_wire_SOURCES = t/unit/test_wire.c t/unit/unit.h
t_unit_test_wire_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_wire_LDADD = $(CHECK_LIBS)
t_unit_test_smpp_SOURCES = t/unit/test_smpp.c t/unit/unit.h
t_unit_test_smpp_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_smpp_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_pdu_SOURCES = t/unit/test_pdu.c t/unit/pdu_samples.h t/unit/pdu_walk.h t/unit/unit.h
t_unit_test_pdu_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_pdu_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_receipt_SOURCES = t/unit/test_receipt.c t/unit/unit.h
t_unit_test_receipt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_receipt_LDADD = libsmscd_common.a $(CHECK_LIBS)
t_unit_test_receipt_id_SOURCES = t/unit/test_receipt_id.c t/unit/unit.h
t_unit_test_receipt_id_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_receipt_id_LDADD = libsmscd_common.a $(CHECK_LIBS)
TESTS += t/unit/test_wire t/unit/test_smpp t/unit/test_pdu t/unit/test_receipt t/unit/test_receipt_id

check_PROGRAMS += t/unit/test_hist
t_unit_test_hist_SOURCES = t/unit/test_hist.c t/unit/unit.h src/tools/hist.c src/tools/hist.h src/tools/pattern.h
t_unit_test_hist_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/tools
t_unit_test_hist_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_hist_LDADD = $(CHECK_LIBS)
TESTS += t/unit/test_hist

include t/fuzz/local.mk
