/* The binds of a configuration as a whole: each found by its name, which is its own. */
#include "conf_int.h"

#include <search.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct conf_bind *)a)->name, ((const struct conf_bind *)b)->name);
}

int conf_bind_index(const struct conf *conf, const char *name)
{
    struct conf_bind key = {.name = (char *)name};
    struct conf_bind *const *node = tfind(&key, &conf->binds_by_name, by_name);
    return node ? (int)(*node - conf->binds) : -1;
}

int conf_add_bind(struct conf_load *load, struct conf_bind *bind, const struct conf_place *place)
{
    if (conf_bind_index(load->conf, bind->name) != -1)
        return conf_fail(load, place, "found the name \"%s\" a second time, expected another", bind->name);
    if (!tsearch(bind, &load->conf->binds_by_name, by_name))
        return conf_fail(load, place, "out of memory");
    if (bind->reconnect_min_ms > bind->reconnect_max_ms)
        return conf_fail(load, place, "found reconnect_min_ms %u, expected at most reconnect_max_ms (%u)",
                         bind->reconnect_min_ms, bind->reconnect_max_ms);
    return 0;
}

void conf_forget_binds(struct conf *conf)
{
    for (size_t i = 0; i < conf->bind_count; i++) {
        if (conf->binds[i].name)
            tdelete(&conf->binds[i], &conf->binds_by_name, by_name);
    }
}
