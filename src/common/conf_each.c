/* The readout of a configuration: every setting of the table with its value in force,
 * without what is secret. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf_int.h"
#include "util.h"

struct readout {
    const struct conf_visit *visit;
    void *arg;
};

static void each_group(const struct readout *out, enum conf_group group, void *base, const char *path);

static void each_string(const struct readout *out, char **list, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        char *element = xasprintf("%s.%zu", path, i);
        out->visit->string(out->arg, element, list[i]);
        free(element);
    }
    if (count == 0)
        out->visit->empty(out->arg, path, true);
}

static void each_option(const struct readout *out, const struct conf_rule *rule, const char *path)
{
    for (size_t i = 0; i < rule->option_count; i++) {
        char *element = xasprintf("%s.%s", path, rule->option_keys[i]);
        out->visit->string(out->arg, element, rule->option_values[i]);
        free(element);
    }
    if (rule->option_count == 0)
        out->visit->empty(out->arg, path, false);
}

static void each_element(const struct readout *out, const struct conf_setting *s, char *elements, size_t count,
                         const char *path)
{
    for (size_t i = 0; i < count; i++) {
        char *element = xasprintf("%s.%zu", path, i);
        each_group(out, s->sub, elements + i * s->element, element);
        free(element);
    }
    if (count == 0)
        out->visit->empty(out->arg, path, true);
}

static void each_setting(const struct readout *out, const struct conf_setting *s, void *base, const char *path)
{
    void *at = conf_at(base, s->offset);
    size_t *count = conf_at(base, s->count_offset);
    char *masked;
    switch (s->type) {
    case CONF_STRING:
    case CONF_NAME:
    case CONF_PATH:
    case CONF_ADDRESS:
        if (!s->secret)
            out->visit->string(out->arg, path, *(char **)at);
        break;
    case CONF_URL:
        masked = conf_masked_url(*(char **)at);
        out->visit->string(out->arg, path, masked);
        free(masked);
        break;
    case CONF_UINT:
        out->visit->integer(out->arg, path, *(unsigned *)at);
        break;
    case CONF_CHOICE:
        out->visit->string(out->arg, path, s->choices[*(unsigned *)at]);
        break;
    case CONF_PATHS:
    case CONF_CHAIN:
        each_string(out, *(char ***)at, *count, path);
        break;
    case CONF_OPTIONS:
        each_option(out, base, path);
        break;
    case CONF_SECTION:
        each_group(out, s->sub, base, path);
        break;
    case CONF_LIST:
        each_element(out, s, *(char **)at, *count, path);
        break;
    case CONF_UNBUILT:
        break;
    }
}

static void each_group(const struct readout *out, enum conf_group group, void *base, const char *path)
{
    const struct conf_setting *s = NULL;
    while ((s = conf_next(group, s))) {
        char *whole = xasprintf("%s%s%s", path, *path ? "." : "", s->name);
        each_setting(out, s, base, whole);
        free(whole);
    }
}

void conf_each(const struct conf *conf, const struct conf_visit *visit, void *arg)
{
    struct readout out = {.visit = visit, .arg = arg};
    /* The table's offsets are for writing too; nothing is written here. */
    each_group(&out, CONF_TOP, (void *)(uintptr_t)conf, "");
}
