/* The table of options: parse by getopt_long, help text with defaults. */
#include "opts.h"

#ifdef HAVE_CONFIG_H
#include <config.h>
#else
#define PACKAGE_VERSION "unreleased"
#endif
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smpp.h"
#include "util.h"

#define OPT_HELP 1000
#define OPT_VERSION 1001

void opts_fail(const struct opts *opts, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s: ", opts->program);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (see %s --help)\n", opts->program);
    exit(2);
}

/* "<argument>   " in a column, then the text and the default. */
static void print_default(const struct opt *o)
{
    switch (o->type) {
    case OPT_FLAG:
        break;
    case OPT_STRING:
        if (*(const char **)o->to && **(const char **)o->to)
            printf(" [%s]", *(const char **)o->to);
        break;
    case OPT_UINT:
        printf(" [%u]", *(unsigned *)o->to);
        break;
    case OPT_NUMBER:
        printf(" [%g]", *(double *)o->to);
        break;
    case OPT_CHOICE:
        printf(" [%s]", o->choices[*(unsigned *)o->to]);
        break;
    case OPT_STATUS:
        printf(" [%s]", smpp_status_name(*(uint32_t *)o->to));
        break;
    }
}

static void print_help(const struct opts *opts)
{
    printf("Usage: %s [OPTION]...\n%s\n\n", opts->program, opts->purpose);
    for (size_t i = 0; i < opts->count; i++) {
        const struct opt *o = &opts->table[i];
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("  %-30s %s", left, o->help);
        print_default(o);
        putchar('\n');
    }
    printf("  %-30s %s\n  %-30s %s\n", "--help", "this text", "--version", "the version");
}

static void set_choice(const struct opts *opts, const struct opt *o, const char *text)
{
    for (unsigned i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *(unsigned *)o->to = i;
            return;
        }
    }
    char all[256] = "";
    size_t n = 0;
    for (unsigned i = 0; o->choices[i] && n < sizeof(all); i++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", o->choices[i]);
    opts_fail(opts, "--%s: found \"%s\", expected one of %s", o->name, text, all);
}

static double get_number(const struct opts *opts, const struct opt *o, const char *text)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    bool within = end != text && !*end && !errno && v >= o->min && v <= o->max;
    if (!within || (o->type == OPT_UINT && v != (double)(unsigned)v))
        opts_fail(opts, "--%s: found \"%s\", expected %s from %.10g to %.10g", o->name, text,
                  o->type == OPT_NUMBER ? "a number" : "a whole number", o->min, o->max);
    return v;
}

static void set_status(const struct opts *opts, const struct opt *o, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 0);
    if (smpp_status_by_name(text, o->to) == 0)
        return;
    if (end == text || *end || text[0] == '-' || number > UINT32_MAX)
        opts_fail(opts, "--%s: found \"%s\", expected a status of the standard, like ESME_RTHROTTLED", o->name, text);
    *(uint32_t *)o->to = (uint32_t)number;
}

static void set(const struct opts *opts, const struct opt *o, const char *text)
{
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        break;
    case OPT_STRING:
        *(const char **)o->to = text;
        break;
    case OPT_UINT:
        *(unsigned *)o->to = (unsigned)get_number(opts, o, text);
        break;
    case OPT_NUMBER:
        *(double *)o->to = get_number(opts, o, text);
        break;
    case OPT_CHOICE:
        set_choice(opts, o, text);
        break;
    case OPT_STATUS:
        set_status(opts, o, text);
        break;
    }
}

static struct option *long_options(const struct opts *opts)
{
    struct option *l = xcalloc(opts->count + 3, sizeof(*l));
    for (size_t i = 0; i < opts->count; i++)
        l[i] = (struct option){opts->table[i].name, opts->table[i].argument ? 1 : 0, NULL, (int)i + 1};
    l[opts->count] = (struct option){"help", 0, NULL, OPT_HELP};
    l[opts->count + 1] = (struct option){"version", 0, NULL, OPT_VERSION};
    return l;
}

void opts_parse(const struct opts *opts, int argc, char **argv)
{
    struct option *l = long_options(opts);
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", l, NULL)) != -1) {
        if (c == OPT_HELP) {
            print_help(opts);
            exit(0);
        }
        if (c == OPT_VERSION) {
            printf("%s %s\n", opts->program, PACKAGE_VERSION);
            exit(0);
        }
        if (c == ':')
            opts_fail(opts, "%s needs an argument", argv[optind - 1]);
        if (c < 1 || (size_t)c > opts->count)
            opts_fail(opts, "unknown option %s", argv[optind - 1]);
        set(opts, &opts->table[c - 1], optarg);
    }
    free(l);
    if (optind < argc)
        opts_fail(opts, "unexpected argument \"%s\"", argv[optind]);
}
