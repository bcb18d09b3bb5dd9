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
