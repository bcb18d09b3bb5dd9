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
