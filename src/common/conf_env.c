/* What the environment says: ${NAME} in strings, and SMPP_BIND_<NAME>_* for the fields of a bind. */
#include "conf_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* The value of the reference that begins at "${" and ends before `end` ("}"), or NULL with the error noted. */
static char *lookup(struct conf_load *load, const struct conf_place *place, const char *reference, const char *end)
{
    const char *name = reference + 2;
    char *fallback = NULL;
    char *copy = xasprintf("%.*s", (int)(end - name), name);
    char *mark = strstr(copy, ":-");
    if (mark) {
        *mark = '\0';
        fallback = mark + 2;
    }
    const char *value = getenv(copy);
    if (fallback && (!value || !*value))
        value = fallback;
    char *result = value ? xstrdup(value) : NULL;
    if (!result)
        conf_fail(load, place, "the environment variable %s is not set, and ${%s} has no default", copy, copy);
    free(copy);
    return result;
}

char *conf_expand(struct conf_load *load, const struct conf_place *place, const char *text)
{
    char *done = xstrdup("");
    const char *reference;
    while ((reference = strstr(text, "${"))) {
        const char *end = strchr(reference, '}');
        if (!end) {
            conf_fail(load, place, "a ${ without its }");
            free(done);
            return NULL;
        }
        char *value = lookup(load, place, reference, end);
        char *joined = value ? xasprintf("%s%.*s%s", done, (int)(reference - text), text, value) : NULL;
        free(value);
        free(done);
        if (!joined)
            return NULL;
        done = joined;
        text = end + 1;
    }
    char *whole = xasprintf("%s%s", done, text);
    free(done);
    return whole;
}

/* "aggregator-eu" is AGGREGATOR_EU in the environment. */
static char *env_name(const char *bind, const char *setting)
{
    char *name = setting ? xasprintf("SMPP_BIND_%s_%s", bind, setting) : xasprintf("SMPP_BIND_%s", bind);
    for (char *p = name; *p; p++)
        *p = isascii((unsigned char)*p) && isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return name;
}

static bool is_scalar(const struct conf_setting *setting)
{
    return setting->type == CONF_STRING || setting->type == CONF_UINT || setting->type == CONF_CHOICE;
}

int conf_env_bind(struct conf_load *load, struct conf_bind *bind)
{
    const struct conf_setting *setting = NULL;
    while ((setting = conf_next(CONF_BIND, setting))) {
        if (!is_scalar(setting) || strcmp(setting->name, "name") == 0)
            continue;
        char *name = env_name(bind->name, setting->name);
        const char *value = getenv(name);
        struct conf_place place = {.file = "environment", .line = 0, .path = name};
        int rc = value ? conf_set_text(load, setting, bind, &place, value) : 0;
        free(name);
        if (rc == -1)
            return -1;
    }
    return 0;
}

int conf_env_check(struct conf_load *load)
{
    const struct conf *conf = load->conf;
    int rc = 0;
    for (size_t i = 1; i < conf->bind_count && rc == 0; i++) {
        char *name = env_name(conf->binds[i].name, NULL);
        for (size_t j = 0; j < i && rc == 0; j++) {
            char *other = env_name(conf->binds[j].name, NULL);
            struct conf_place place = {.file = conf->path, .line = 0, .path = "binds"};
            if (strcmp(name, other) == 0)
                rc = conf_fail(load, &place, "found \"%s\" and \"%s\", which are both %s_* in the environment",
                               conf->binds[j].name, conf->binds[i].name, name);
            free(other);
        }
        free(name);
    }
    return rc;
}
