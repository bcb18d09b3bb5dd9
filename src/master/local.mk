# Files of src/master.
sbin_PROGRAMS += smscd
smscd_SOURCES = \
	src/master/admin.c src/master/admin.h \
	src/master/admin_report.c src/master/admin_report.h \
	src/master/bind.c src/master/bind.h src/master/bind_int.h \
	src/master/bind_conn.c \
	src/master/child.c src/master/child.h \
	src/master/compiler.c src/master/compiler.h \
	src/master/deliver.c src/master/deliver.h \
	src/master/dispatch.c src/master/dispatch.h \
	src/master/listener.c src/master/listener.h \
	src/master/main.c \
	src/master/master.c src/master/master.h \
	src/master/notify.c src/master/notify.h \
	src/master/pick.c src/master/pick.h \
	src/master/proc.c src/master/proc.h \
	src/master/quiet.h \
	src/master/redis_server.c src/master/redis_server.h \
	src/master/registry.c src/master/registry.h \
	src/master/reload.c src/master/reload.h \
	src/master/report.c src/master/report.h \
	src/master/request.c src/master/request.h \
	src/master/resolver.c src/master/resolver.h \
	src/master/route.c src/master/route.h
smscd_CFLAGS = $(AM_CFLAGS) $(CARES_CFLAGS)
smscd_LDFLAGS = $(AM_LDFLAGS) -rdynamic
smscd_LDADD = libsmscd_worker.a libsmscd_common.a $(PYTHON_EMBED_LIBS) $(HIREDIS_LIBS) $(LIBCONFIG_LIBS) \
	$(CARES_LIBS) $(LIBEV_LIBS)
dist_man8_MANS = man/smscd.8

if HAVE_CHECK
check_PROGRAMS += t/unit/test_pick t/unit/test_report
t_unit_test_pick_SOURCES = t/unit/test_pick.c src/master/pick.c
t_unit_test_pick_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_pick_LDADD = $(CHECK_LIBS)
t_unit_test_report_SOURCES = t/unit/test_report.c src/master/report.c
t_unit_test_report_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_report_LDADD = $(CHECK_LIBS)
TESTS += t/unit/test_pick t/unit/test_report
endif
