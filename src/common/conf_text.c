/* One value given as text: checked, made into what struct conf holds, and told apart in an error
 * ("found ..., expected ..."). */
#include "conf_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SHOWN 60 /* octets of a value in an error */

char *conf_absolute(const struct conf *conf, const char *path)
{
    if (*path == '/' || *path == '\0')
        return xstrdup(path);
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    return xasprintf("%s/%s", strcmp(conf->directory, "/") == 0 ? "" : conf->directory, path);
}

int conf_fail(struct conf_load *load, const struct conf_place *place, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    if (load->error)
        return -1;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) == -1)
        text = xstrdup(fmt);
    va_end(ap);
    char *file = place->line ? conf_absolute(load->conf, place->file) : xstrdup(place->file);
    if (place->line)
        load->error = xasprintf("%s:%u: %s: %s", file, place->line, place->path, text);
    else
        load->error = xasprintf("%s: %s: %s", file, place->path, text);
    free(file);
    free(text);
    return -1;
}

static char *choices_text(const struct conf_setting *setting)
{
    char *all = xasprintf("\"%s\"", setting->choices[0]);
    for (const char *const *c = setting->choices + 1; *c; c++) {
        char *longer = xasprintf("%s%s\"%s\"", all, c[1] ? ", " : " or ", *c);
        free(all);
        all = longer;
    }
    return all;
}

static char *length_text(const struct conf_setting *setting)
{
    if (setting->min == 0)
        return xasprintf("a string of at most %lld octets", setting->max);
    return xasprintf("a string of %lld to %lld octets", setting->min, setting->max);
}

/* "expected": malloc'd. */
static char *expected_text(const struct conf_setting *setting)
{
    switch (setting->type) {
    case CONF_UINT:
        return xasprintf("an integer from %lld to %lld", setting->min, setting->max);
    case CONF_CHOICE:
        return choices_text(setting);
    case CONF_NAME:
        return xasprintf("%lld to %lld letters (A-Z), digits, \"_\", \"-\" or \".\"", setting->min, setting->max);
    case CONF_ADDRESS:
        return xstrdup("an IPv4 or IPv6 address");
    case CONF_URL:
        return xstrdup("\"redis://...\", \"unix://...\" or \"\" for the embedded server");
    case CONF_PATHS:
        return xstrdup("a list of strings");
    case CONF_CHAIN:
        return xstrdup("a list of \"bind:NAME\"");
    case CONF_SECTION:
    case CONF_OPTIONS:
        return xstrdup("a group { }");
    case CONF_LIST:
        return xstrdup("a list of groups ({ }, { })");
    default:
        return length_text(setting);
    }
}

int conf_mismatch(struct conf_load *load, const struct conf_setting *setting, const struct conf_place *place,
                  const char *found)
{
    char *expected = expected_text(setting);
    conf_fail(load, place, "found %s, expected %s", found, expected);
    free(expected);
    return -1;
}

static bool is_unbuilt(const struct conf_setting *setting, const char *text)
{
    if (!setting->unbuilt)
        return false;
    if (setting->type == CONF_URL)
        return strncmp(text, setting->unbuilt, strlen(setting->unbuilt)) == 0;
    return strcmp(text, setting->unbuilt) == 0;
}

static int set_string(struct conf_load *load, const struct conf_setting *setting, char **to,
                      const struct conf_place *place, const char *text)
{
    bool is_path = setting->type == CONF_PATH || setting->type == CONF_PATHS;
    char *value = is_path ? conf_absolute(load->conf, text) : xstrdup(text);
    size_t len = strlen(value);
    if ((long long)len < setting->min || (long long)len > setting->max) {
        char *found =
            setting->secret ? xasprintf("%zu octets", len) : xasprintf("\"%.*s\" (%zu octets)", SHOWN, value, len);
        conf_mismatch(load, setting, place, found);
        free(found);
        free(value);
        return -1;
    }
    free(*to);
    *to = value;
    return 0;
}

/* A value that is not what a string of this type has to be. */
static int mismatch_text(struct conf_load *load, const struct conf_setting *setting, const struct conf_place *place,
                         const char *text)
{
    char *found = xasprintf("\"%.*s\"", SHOWN, text);
    conf_mismatch(load, setting, place, found);
    free(found);
    return -1;
}

/* Name and password, which stand before the last @, do not show. */
char *conf_masked_url(const char *url)
{
    const char *at = strrchr(url, '@');
    const char *scheme = strstr(url, "://");
    if (!at)
        return xstrdup(url);
    return xasprintf("%.*s***%s", scheme && scheme < at ? (int)(scheme + 3 - url) : 0, url, at);
}

static int set_url(struct conf_load *load, const struct conf_setting *setting, char **to,
                   const struct conf_place *place, const char *text)
{
    bool known = !*text || strncmp(text, "redis://", 8) == 0 || strncmp(text, "unix://", 7) == 0;
    if (known && (long long)strlen(text) <= setting->max)
        return set_string(load, setting, to, place, text);
    char *masked = conf_masked_url(text);
    mismatch_text(load, setting, place, masked);
    free(masked);
    return -1;
}

static int set_name(struct conf_load *load, const struct conf_setting *setting, char **to,
                    const struct conf_place *place, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!isascii((unsigned char)*p) || (!isalnum((unsigned char)*p) && !strchr("_-.", *p)))
            return mismatch_text(load, setting, place, text);
    }
    return set_string(load, setting, to, place, text);
}

static int set_address(struct conf_load *load, const struct conf_setting *setting, char **to,
                       const struct conf_place *place, const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1)
        return mismatch_text(load, setting, place, text);
    return set_string(load, setting, to, place, text);
}

static int set_choice(struct conf_load *load, const struct conf_setting *setting, unsigned *to,
                      const struct conf_place *place, const char *text)
{
    for (unsigned i = 0; setting->choices[i]; i++) {
        if (strcmp(setting->choices[i], text) == 0) {
            *to = i;
            return 0;
        }
    }
    return mismatch_text(load, setting, place, text);
}

static int set_number_text(struct conf_load *load, const struct conf_setting *setting, unsigned *to,
                           const struct conf_place *place, const char *text)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    bool number = (isdigit((unsigned char)*text) || *text == '-') && *end == '\0' && errno == 0;
    if (number && v >= setting->min && v <= setting->max) {
        *to = (unsigned)v;
        return 0;
    }
    return mismatch_text(load, setting, place, text);
}

int conf_set_text(struct conf_load *load, const struct conf_setting *setting, void *base,
                  const struct conf_place *place, const char *text)
{
    void *to = conf_at(base, setting->offset);
    if (is_unbuilt(setting, text))
        return conf_fail(load, place, "\"%s\" is not built yet", setting->unbuilt);
    switch (setting->type) {
    case CONF_UINT:
        return set_number_text(load, setting, to, place, text);
    case CONF_CHOICE:
        return set_choice(load, setting, to, place, text);
    case CONF_NAME:
        return set_name(load, setting, to, place, text);
    case CONF_ADDRESS:
        return set_address(load, setting, to, place, text);
    case CONF_URL:
        return set_url(load, setting, to, place, text);
    default:
        return set_string(load, setting, to, place, text);
    }
}

int conf_set_default(struct conf_load *load, const struct conf_setting *setting, void *base)
{
    struct conf_place place = {.file = "default", .line = 0, .path = setting->name};
    if (setting->text)
        return conf_set_text(load, setting, base, &place, setting->text);
    if (setting->type == CONF_UINT)
        *(unsigned *)conf_at(base, setting->offset) = (unsigned)setting->number;
    return 0;
}

int conf_check_chain(struct conf_load *load, const char *entry, const struct conf_place *place)
{
    if (strncmp(entry, "bind:", 5) != 0)
        return conf_fail(load, place, "found \"%.*s\", expected \"bind:NAME\"", SHOWN, entry);
    if (conf_bind_index(load->conf, entry + 5) == -1)
        return conf_fail(load, place, "found \"%.*s\", expected the name of one of the binds", SHOWN, entry);
    return 0;
}
