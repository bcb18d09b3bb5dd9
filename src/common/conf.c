/* Loads a configuration: walks the parsed file along the table of settings, group by group,
 * and checks what concerns several settings at once. */
#include "conf.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_file.h"
#include "util.h"

static int load_group(struct conf_load *load, enum conf_group group, void *base, const char *path,
                      const config_setting_t *node);

static char *dotted(const char *path, const char *name)
{
    return *path ? xasprintf("%s.%s", path, name) : xstrdup(name);
}

/* The names of a group, for the error about one that is none of them. malloc'd. */
static char *known_names(enum conf_group group)
{
    const struct conf_setting *s = NULL;
    char *all = NULL;
    while ((s = conf_next(group, s))) {
        if (s->type == CONF_UNBUILT)
            continue;
        char *longer = xasprintf("%s%s%s", all ? all : "", all ? ", " : "", s->name);
        free(all);
        all = longer;
    }
    return all;
}

static int check_name(struct conf_load *load, enum conf_group group, const char *path, const config_setting_t *node)
{
    const struct conf_setting *setting = conf_find(group, config_setting_name(node));
    if (setting && setting->type != CONF_UNBUILT)
        return 0;
    char *whole = dotted(path, config_setting_name(node));
    struct conf_place place = conf_place_of(load, node, whole);
    if (setting) {
        conf_fail(load, &place, "not built yet");
    } else {
        char *names = known_names(group);
        conf_fail(load, &place, "unknown name, expected one of: %s", names);
        free(names);
    }
    free(whole);
    return -1;
}

static bool is_group(const config_setting_t *node)
{
    return config_setting_type(node) == CONFIG_TYPE_GROUP;
}

/* Fails as a value of the wrong type would. */
static int not_that_type(struct conf_load *load, const struct conf_setting *setting, const char *path,
                         const config_setting_t *node)
{
    return conf_set_node(load, setting, load->conf, path, node);
}

static int load_element(struct conf_load *load, const struct conf_setting *setting, void *element, const char *path,
                        unsigned i, const config_setting_t *node)
{
    char *whole = xasprintf("%s.%u", path, i);
    struct conf_place place = conf_place_of(load, node, whole);
    int rc = is_group(node) ? load_group(load, setting->sub, element, whole, node)
                            : conf_fail(load, &place, "found something else, expected a group { }");
    free(whole);
    return rc;
}

static int load_list(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                     const config_setting_t *node)
{
    int type = config_setting_type(node);
    bool empty_array = type == CONFIG_TYPE_ARRAY && config_setting_length(node) == 0;
    if (type != CONFIG_TYPE_LIST && !empty_array)
        return not_that_type(load, setting, path, node);
    unsigned n = (unsigned)config_setting_length(node);
    char *elements = xcalloc(n, setting->element);
    *(void **)conf_at(base, setting->offset) = elements;
    for (unsigned i = 0; i < n; i++) {
        ++*(size_t *)conf_at(base, setting->count_offset);
        if (load_element(load, setting, elements + i * setting->element, path, i, config_setting_get_elem(node, i)) ==
            -1)
            return -1;
    }
    return 0;
}

static int load_section(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                        const config_setting_t *node)
{
    if (node && !is_group(node))
        return not_that_type(load, setting, path, node);
    return load_group(load, setting->sub, base, path, node);
}

static int load_setting(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                        const config_setting_t *node)
{
    if (setting->type == CONF_SECTION)
        return load_section(load, setting, base, path, node);
    if (!node)
        return conf_set_default(load, setting, base);
    if (setting->type == CONF_LIST)
        return load_list(load, setting, base, path, node);
    return conf_set_node(load, setting, base, path, node);
}

/* A bind's fields may come from the environment, so what is required is asked for after that. */
static int check_required(struct conf_load *load, enum conf_group group, void *base, const char *path,
                          const config_setting_t *node)
{
    const struct conf_setting *setting = NULL;
    while ((setting = conf_next(group, setting))) {
        if (!setting->required || *(void **)conf_at(base, setting->offset))
            continue;
        char *whole = dotted(path, setting->name);
        struct conf_place place = {.file = load->conf->path, .line = 0, .path = whole};
        if (node && config_setting_source_file(node) && *path)
            place = conf_place_of(load, node, whole);
        conf_fail(load, &place, "not given, and it has no default");
        free(whole);
        return -1;
    }
    return 0;
}

/* node: NULL when the file has no such group, whose defaults hold then. */
static int load_group(struct conf_load *load, enum conf_group group, void *base, const char *path,
                      const config_setting_t *node)
{
    const struct conf_setting *setting = NULL;
    struct conf_bind *bind = group == CONF_BIND ? base : NULL;
    for (int i = 0; node && i < config_setting_length(node); i++) {
        if (check_name(load, group, path, config_setting_get_elem(node, (unsigned)i)) == -1)
            return -1;
    }
    while ((setting = conf_next(group, setting))) {
        char *whole = dotted(path, setting->name);
        int rc = load_setting(load, setting, base, whole, node ? config_setting_get_member(node, setting->name) : NULL);
        free(whole);
        if (rc == -1)
            return -1;
    }
    if (bind && bind->name && conf_env_bind(load, bind) == -1)
        return -1;
    if (check_required(load, group, base, path, node) == -1)
        return -1;
    if (!bind)
        return 0;
    struct conf_place place = conf_place_of(load, node, path);
    return conf_add_bind(load, bind, &place);
}

/* The name in "name = ..." or "name : ..." on that line, for a syntax error; NULL when the line begins otherwise. Its
 * value is not shown: it may be a password. */
static char *setting_on_line(const char *path, int number)
{
    char *line = NULL, *name = NULL;
    size_t cap = 0;
    FILE *f = fopen(path, "re");
    for (int i = 0; f && i < number; i++)
        if (getline(&line, &cap, f) == -1)
            number = 0;
    if (f && number > 0) {
        const char *from = line + strspn(line, " \t");
        size_t n = strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        const char *after = from + n + strspn(from + n, " \t");
        if (n > 0 && (*after == '=' || *after == ':'))
            name = strndup(from, n);
    }
    free(line);
    if (f)
        fclose(f);
    return name;
}

static int parse(struct conf_load *load, config_t *file)
{
    struct conf *conf = load->conf;
    config_set_include_dir(file, conf->directory);
    errno = 0;
    if (config_read_file(file, conf->path) == CONFIG_TRUE)
        return 0;
    if (config_error_type(file) == CONFIG_ERR_FILE_IO) {
        load->error = xasprintf("%s: cannot be read: %s", conf->path, strerror(errno ? errno : EIO));
        return -1;
    }
    const char *name = config_error_file(file);
    char *whole = conf_absolute(conf, name ? name : conf->path);
    char *setting = setting_on_line(whole, config_error_line(file));
    load->error = xasprintf("%s:%d: %s%s%s", whole, config_error_line(file), setting ? setting : "",
                            setting ? ": " : "", config_error_text(file));
    free(setting);
    free(whole);
    return -1;
}

static unsigned cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == -1)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

static void set_paths(struct conf *conf, const char *path)
{
    char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    conf->path = cwd ? xasprintf("%s/%s", cwd, path) : xstrdup(path);
    free(cwd);
    conf->directory = xstrdup(conf->path);
    char *slash = strrchr(conf->directory, '/');
    if (slash)
        slash[slash == conf->directory] = '\0';
}

struct conf *conf_load(const char *path, char **error)
{
    struct conf_load load = {.conf = xcalloc(1, sizeof(struct conf)), .error = NULL};
    struct conf *conf = load.conf;
    set_paths(conf, path);
    config_t file;
    config_init(&file);
    int rc = parse(&load, &file);
    if (rc == 0)
        rc = load_group(&load, CONF_TOP, conf, "", config_root_setting(&file));
    if (rc == 0)
        rc = conf_env_check(&load);
    config_destroy(&file);
    if (rc == -1) {
        conf_free(&conf);
        *error = load.error;
        return NULL;
    }
    if (conf->workers == 0)
        conf->workers = cores();
    return conf;
}
