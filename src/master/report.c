/* JSON and text from the same calls. */
#include "report.h"

#include <string.h>

/* Quoted and escaped for JSON; text takes it over where a value is not one word. Octets that are no ASCII are escaped
 * one by one: what a peer calls itself need not be UTF-8. */
static void put_quoted(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static bool one_word(const char *s)
{
    size_t plain = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_[]/+@");
    return *s && s[plain] == 0;
}

static void put_name(struct report *r, const char *name)
{
    if (!r->json) {
        fprintf(r->out, r->in_row ? " %s=" : "%s: ", name);
        return;
    }
    if (r->comma)
        fputc(',', r->out);
    put_quoted(r->out, name);
    fputc(':', r->out);
    r->comma = true;
}

static void after_value(struct report *r)
{
    if (!r->json && !r->in_row)
        fputc('\n', r->out);
}

void report_begin(struct report *r, bool json)
{
    *r = (struct report){.json = json};
    r->out = open_memstream(&r->text, &r->len);
    if (json)
        fputc('{', r->out);
}

void report_end(struct report *r)
{
    if (r->json)
        fputs("}\n", r->out);
    fclose(r->out);
    r->out = NULL;
}

void report_string(struct report *r, const char *name, const char *value)
{
    put_name(r, name);
    if (r->json || (r->in_row && !one_word(value)))
        put_quoted(r->out, value);
    else
        fputs(value, r->out);
    after_value(r);
}

void report_number(struct report *r, const char *name, long long value)
{
    put_name(r, name);
    fprintf(r->out, "%lld", value);
    after_value(r);
}

void report_bool(struct report *r, const char *name, bool value)
{
    put_name(r, name);
    fputs(r->json ? (value ? "true" : "false") : (value ? "yes" : "no"), r->out);
    after_value(r);
}

void report_list(struct report *r, const char *name)
{
    put_name(r, name);
    fputc(r->json ? '[' : '\n', r->out);
    r->comma = false;
}

void report_list_end(struct report *r)
{
    if (r->json)
        fputc(']', r->out);
    r->comma = true;
}

void report_row(struct report *r)
{
    r->in_row = true;
    if (!r->json) {
        fputc(' ', r->out);
        return;
    }
    fputs(r->comma ? ",{" : "{", r->out);
    r->comma = false;
}

void report_row_end(struct report *r)
{
    r->in_row = false;
    r->comma = true;
    fputc(r->json ? '}' : '\n', r->out);
}
