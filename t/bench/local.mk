# Files of t/bench: what scripts/bench and `make bench` run. The micro-benchmarks are built by `make bench` alone.

# The floor of scripts/bench: an exchange of the same PDUs without any of our code.
noinst_PROGRAMS += echo_floor
echo_floor_SOURCES = t/bench/echo_floor.c

# In the build folder's top, where micro_python finds the Python package.
micro_programs = micro_codec micro_session micro_chan micro_python
EXTRA_PROGRAMS = $(micro_programs)
CLEANFILES += $(micro_programs)
micro_common = t/bench/micro.c t/bench/micro.h
micro_codec_SOURCES = t/bench/micro_codec.c t/bench/micro_pdu.h $(micro_common)
micro_codec_LDADD = libsmscd_common.a
micro_session_SOURCES = t/bench/micro_session.c t/bench/micro_pdu.h $(micro_common)
micro_session_LDADD = libsmscd_common.a $(LIBEV_LIBS)
micro_chan_SOURCES = t/bench/micro_chan.c $(micro_common)
micro_chan_LDADD = libsmscd_common.a $(LIBEV_LIBS)
micro_python_SOURCES = t/bench/micro_python.c t/bench/micro_pdu.h $(micro_common)
micro_python_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/worker $(PYTHON_EMBED_CFLAGS)
micro_python_LDFLAGS = $(AM_LDFLAGS) -rdynamic
micro_python_LDADD = libsmscd_worker.a libsmscd_common.a $(PYTHON_EMBED_LIBS) $(HIREDIS_LIBS) $(LIBCONFIG_LIBS) \
	$(LIBEV_LIBS)

# Nanoseconds for each operation; instructions where valgrind counts them. ROW= selects rows that contain a text.
bench: $(micro_programs)
	@for p in $(micro_programs); do ./$$p "$(ROW)" || exit 1; done
bench-instructions: $(micro_programs)
	@for p in $(micro_programs); do $(srcdir)/t/bench/instructions ./$$p "$(ROW)" || exit 1; done
.PHONY: bench bench-instructions
