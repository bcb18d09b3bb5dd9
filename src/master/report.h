/* What the control socket answers: names and values, lists of rows; written as JSON or as text from the same calls. */
#ifndef SMSCD_REPORT_H
#define SMSCD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct report {
    FILE *out;
    bool json, comma, in_row;
    char *text;
    size_t len;
};

/* JSON: one object on one line. Text: "name: value" lines, a row of a list as "  name=value ..." */
void report_begin(struct report *r, bool json);
/* The end of it: r->text and r->len, malloc'd, the caller's. */
void report_end(struct report *r);
void report_string(struct report *r, const char *name, const char *value);
void report_number(struct report *r, const char *name, long long value);
void report_bool(struct report *r, const char *name, bool value);
void report_list(struct report *r, const char *name);
void report_list_end(struct report *r);
void report_row(struct report *r);
void report_row_end(struct report *r);

#endif
