/* Command line options as one table, from which getopt_long and --help are both made: the help shows the
 * defaults, which are the values the variables have before the parse. */
#ifndef SMSCD_OPTS_H
#define SMSCD_OPTS_H

#include <stdbool.h>
#include <stddef.h>

enum opt_type {
    OPT_FLAG,   /* bool; takes no argument */
    OPT_STRING, /* const char *; points into argv */
    OPT_UINT,   /* unsigned, min to max */
    OPT_NUMBER, /* double, min to max */
    OPT_CHOICE, /* unsigned: the index in `choices` */
    OPT_STATUS  /* uint32_t: an SMPP status by its name or number */
};

struct opt {
    const char *name;     /* without dashes */
    const char *argument; /* its name in the help, NULL for a flag */
    enum opt_type type;
    void *to;
    double min, max;
    const char *const *choices; /* NULL at the end */
    const char *help;
};

struct opts {
    const char *program, *purpose; /* purpose: one line */
    const struct opt *table;
    size_t count;
};

/* Reads the command line. --help and --version print and exit with 0; whatever is wrong is said on standard error in
 * one line, and the program ends with exit status 2. */
void opts_parse(const struct opts *opts, int argc, char **argv);
/* The same message and end for what the table cannot express. */
void opts_fail(const struct opts *opts, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
