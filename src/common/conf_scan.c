/* Finds integers that libconfig 1.5 has wrapped to 32 bits without a word, by reading the
 * number as it stands in the file. */
#include "conf_file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end of a number that begins at p: digits, hexadecimal ones, and the L that makes it one of 64 bits. */
static const char *number_end(const char *p)
{
    p += *p == '-' || *p == '+';
    while (isalnum((unsigned char)*p))
        p++;
    return p;
}

/* Whether libconfig takes the number for one of 32 bits, and it is none, and is left as `value`. */
static bool wraps_to(const char *number, size_t len, int value)
{
    char text[64];
    char *end;
    if (len >= sizeof(text))
        return true;
    memcpy(text, number, len);
    text[len] = '\0';
    bool hex = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;
    errno = 0;
    long long v = strtoll(text, &end, hex ? 16 : 10);
    if (end == text || *end != '\0') /* with an L, or no number at all */
        return false;
    if (errno == ERANGE)
        return true;
    return (v > INT_MAX || v < INT_MIN) && (int)v == value;
}

/* The first number of the line that wraps to value, or NULL. A comment that holds one does no harm: the value of the
 * setting would have to be what it wraps to. */
static char *find_in_line(const char *line, int value)
{
    bool in_word = false;
    for (const char *p = line; *p; p++) {
        bool begins = isdigit((unsigned char)*p) || ((*p == '-' || *p == '+') && isdigit((unsigned char)p[1]));
        if (begins && !in_word) {
            const char *end = number_end(p);
            if (wraps_to(p, (size_t)(end - p), value))
                return strndup(p, (size_t)(end - p));
            p = end - 1;
        }
        in_word = isalnum((unsigned char)*p) || *p == '_';
    }
    return NULL;
}

/* Whether the value of the setting stands on this line: a digit after its name, or on a later line any digit. */
static bool has_value(const char *line, const char *name)
{
    const char *at = line;
    for (const char *p = line; name && (p = strstr(p, name)); p++)
        at = p;
    return strpbrk(at, "0123456789") != NULL;
}

static char *find_in_file(FILE *file, const config_setting_t *node)
{
    char *line = NULL, *found = NULL;
    size_t cap = 0;
    for (unsigned n = 1; !found && getline(&line, &cap, file) != -1; n++) {
        if (n < node->line)
            continue;
        found = find_in_line(line, node->value.ival);
        if (has_value(line, n == node->line ? config_setting_name(node) : NULL))
            break;
    }
    free(line);
    return found;
}

char *conf_oversized(const struct conf *conf, const config_setting_t *node)
{
    const char *name = config_setting_source_file(node);
    char *path = name ? conf_absolute(conf, name) : NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    char *found = file ? find_in_file(file, node) : NULL;
    if (file)
        fclose(file);
    free(path);
    return found;
}
