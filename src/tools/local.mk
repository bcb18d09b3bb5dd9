# smppload and smppsim: both speak through src/common's own sessions. smscctl is the admin client.
bin_PROGRAMS += smppload smppsim

smppload_SOURCES = src/tools/smppload.c src/tools/load.h src/tools/load_conn.c src/tools/load_send.c \
	src/tools/load_receipt.c src/tools/load_report.c src/tools/hist.h src/tools/hist.c src/tools/pattern.h \
	src/tools/evlog.h src/tools/evlog.c src/tools/opts.h src/tools/opts.c
smppload_LDADD = libsmscd_common.a $(LIBEV_LIBS) -lm

smppsim_SOURCES = src/tools/smppsim.c src/tools/sim.h src/tools/sim_session.c src/tools/sim_job.c \
	src/tools/pattern.h src/tools/evlog.h src/tools/evlog.c src/tools/opts.h src/tools/opts.c
smppsim_LDADD = libsmscd_common.a $(LIBEV_LIBS) -lm

dist_man1_MANS = man/smppload.1 man/smppsim.1

bin_PROGRAMS += smscctl
smscctl_SOURCES = src/tools/smscctl.c
smscctl_LDADD = libsmscd_common.a $(LIBCONFIG_LIBS)
dist_man1_MANS += man/smscctl.1
