# The fuzz targets, driven over their corpus and a fixed series of mutations; scripts/fuzz runs them with libFuzzer.
check_PROGRAMS += t/fuzz/fuzz_pdu t/fuzz/fuzz_receipt
TESTS += t/fuzz/fuzz_pdu t/fuzz/fuzz_receipt
t_fuzz_fuzz_pdu_SOURCES = t/fuzz/fuzz_pdu.c t/fuzz/driver.c t/unit/pdu_walk.h
t_fuzz_fuzz_pdu_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit -DFUZZ_CORPUS='"$(abs_top_srcdir)/t/fuzz/corpus/pdu"'
t_fuzz_fuzz_pdu_LDADD = libsmscd_common.a
t_fuzz_fuzz_receipt_SOURCES = t/fuzz/fuzz_receipt.c t/fuzz/driver.c
t_fuzz_fuzz_receipt_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_top_srcdir)/t/fuzz/corpus/receipt"'
t_fuzz_fuzz_receipt_LDADD = libsmscd_common.a
