/* One value of a file: its type checked and told apart in an error ("found ..., expected ..."). */
#include "conf_file.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SHOWN 60 /* octets of a value in an error */

struct conf_place conf_place_of(const struct conf_load *load, const config_setting_t *node, const char *path)
{
    const char *file = config_setting_source_file(node);
    return (struct conf_place){.file = file ? file : load->conf->path, .line = node->line, .path = path};
}

static const char *type_name(const config_setting_t *node)
{
    switch (config_setting_type(node)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return "a list";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    default:
        return "nothing";
    }
}

/* "found": what stands in the file; its type alone when the value is secret. malloc'd. */
static char *found_text(const struct conf_setting *setting, const config_setting_t *node)
{
    if (setting->secret)
        return xstrdup(type_name(node));
    switch (config_setting_type(node)) {
    case CONFIG_TYPE_STRING:
        return xasprintf("the string \"%.*s\"", SHOWN, config_setting_get_string(node));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return xasprintf("%lld", config_setting_get_int64(node));
    case CONFIG_TYPE_FLOAT:
        return xasprintf("%g", config_setting_get_float(node));
    case CONFIG_TYPE_BOOL:
        return xstrdup(config_setting_get_bool(node) ? "true" : "false");
    default:
        return xstrdup(type_name(node));
    }
}

static int mismatch_node(struct conf_load *load, const struct conf_setting *setting, const char *path,
                         const config_setting_t *node)
{
    struct conf_place place = conf_place_of(load, node, path);
    char *found = found_text(setting, node);
    conf_mismatch(load, setting, &place, found);
    free(found);
    return -1;
}

static int set_string_node(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                           const config_setting_t *node)
{
    struct conf_place place = conf_place_of(load, node, path);
    const char *raw = config_setting_get_string(node);
    bool number = setting->type == CONF_UINT;
    if (!raw || (number && !strstr(raw, "${")))
        return mismatch_node(load, setting, path, node);
    char *text = conf_expand(load, &place, raw);
    int rc = text ? conf_set_text(load, setting, base, &place, text) : -1;
    free(text);
    return rc;
}

static int set_number_node(struct conf_load *load, const struct conf_setting *setting, unsigned *to, const char *path,
                           const config_setting_t *node)
{
    struct conf_place place = conf_place_of(load, node, path);
    char *oversized = config_setting_type(node) == CONFIG_TYPE_INT ? conf_oversized(load->conf, node) : NULL;
    long long v = config_setting_get_int64(node);
    if (oversized) {
        conf_mismatch(load, setting, &place, oversized);
        free(oversized);
        return -1;
    }
    if (v < setting->min || v > setting->max)
        return mismatch_node(load, setting, path, node);
    *to = (unsigned)v;
    return 0;
}

/* One element of a list of strings. */
static int add_string(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                      const config_setting_t *node)
{
    char ***list = conf_at(base, setting->offset);
    size_t *count = conf_at(base, setting->count_offset);
    struct conf_setting element = *setting;
    char *value = NULL;

    element.type = setting->type == CONF_PATHS ? CONF_PATH : CONF_STRING;
    element.offset = 0;
    if (setting->type == CONF_CHAIN)
        element.max = 5 + 63;
    if (set_string_node(load, &element, &value, path, node) == -1)
        return -1;
    struct conf_place place = conf_place_of(load, node, path);
    if (setting->type == CONF_CHAIN && conf_check_chain(load, value, &place) == -1) {
        free(value);
        return -1;
    }
    *list = xrealloc(*list, (*count + 1) * sizeof(**list));
    (*list)[(*count)++] = value;
    return 0;
}

static int set_strings(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                       const config_setting_t *node)
{
    int rc = 0, n = config_setting_length(node);
    for (int i = 0; i < n && rc == 0; i++) {
        char *element = xasprintf("%s.%d", path, i);
        rc = add_string(load, setting, base, element, config_setting_get_elem(node, (unsigned)i));
        free(element);
    }
    if (n == 0 && setting->required)
        return mismatch_node(load, setting, path, node);
    return rc;
}

/* The text of an option: a string, or what a number or boolean is in text. NULL with the error noted. */
static char *option_text(struct conf_load *load, const char *path, const config_setting_t *node)
{
    struct conf_place place = conf_place_of(load, node, path);
    switch (config_setting_type(node)) {
    case CONFIG_TYPE_STRING:
        return conf_expand(load, &place, config_setting_get_string(node));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return xasprintf("%lld", config_setting_get_int64(node));
    case CONFIG_TYPE_BOOL:
        return xstrdup(config_setting_get_bool(node) ? "true" : "false");
    default:
        conf_fail(load, &place, "found %s, expected a string, an integer or a boolean", type_name(node));
        return NULL;
    }
}

static int set_options(struct conf_load *load, struct conf_rule *rule, const char *path, const config_setting_t *node)
{
    size_t n = (size_t)config_setting_length(node);
    rule->option_keys = xcalloc(n, sizeof(char *));
    rule->option_values = xcalloc(n, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        const config_setting_t *option = config_setting_get_elem(node, (unsigned)i);
        char *dotted = xasprintf("%s.%s", path, config_setting_name(option));
        char *value = option_text(load, dotted, option);
        free(dotted);
        if (!value)
            return -1;
        rule->option_keys[i] = xstrdup(config_setting_name(option));
        rule->option_values[i] = value;
        rule->option_count++;
    }
    return 0;
}

int conf_set_node(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                  const config_setting_t *node)
{
    int type = config_setting_type(node);
    bool is_list = type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY;
    if (type == CONFIG_TYPE_STRING && setting->type <= CONF_CHOICE)
        return set_string_node(load, setting, base, path, node);
    if (setting->type == CONF_UINT && (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64))
        return set_number_node(load, setting, conf_at(base, setting->offset), path, node);
    if (is_list && (setting->type == CONF_PATHS || setting->type == CONF_CHAIN))
        return set_strings(load, setting, base, path, node);
    if (type == CONFIG_TYPE_GROUP && setting->type == CONF_OPTIONS)
        return set_options(load, base, path, node);
    return mismatch_node(load, setting, path, node);
}
