/* The table of settings: name, type, range and default of everything a configuration file may hold; and what frees it.
 * The order is that of the readout; binds come before what refers to them. */
#include "conf_int.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000
#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4000
#define RUN_DIR_MAX 90 /* sockets are made in it: sun_path has 108 octets */

static const char *const reloads[] = {"signal", NULL};
static const char *const bind_types[] = {"transceiver", "transmitter", "receiver", NULL};
static const char *const id_matches[] = {"exact", "dec-to-hex", "hex-to-dec", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define AT(field) .offset = offsetof(struct conf, field)
#define IN_BIND(field) .offset = offsetof(struct conf_bind, field)
#define IN_RULE(field) .offset = offsetof(struct conf_rule, field)
#define COUNT(type, field) .count_offset = offsetof(struct type, field)
#define RANGE(low, high) .min = (low), .max = (high)
#define MS(default_ms) RANGE(1, DAY_MS), .number = (default_ms)
#define MS_OR_NEVER(default_ms) RANGE(0, DAY_MS), .number = (default_ms)

/* Longest field of the standard, without its NUL (SMPP 3.4 section 5.2) */
#define SYSTEM_ID RANGE(1, 15)
#define PASSWORD RANGE(0, 8)
#define SYSTEM_TYPE RANGE(0, 12)
#define ADDR_RANGE RANGE(0, 40)

const struct conf_setting conf_settings[] = {
    {CONF_TOP, "script", CONF_PATH, AT(script), RANGE(1, PATH_MAX_LEN), .required = true},
    {CONF_TOP, "workers", CONF_UINT, AT(workers), RANGE(0, 256), .number = 0},
    {CONF_TOP, "run_dir", CONF_PATH, AT(run_dir), RANGE(1, RUN_DIR_MAX), .text = "run"},
    {CONF_TOP, "state_dir", CONF_PATH, AT(state_dir), RANGE(1, PATH_MAX_LEN), .text = "state"},
    {CONF_TOP, "reload", CONF_CHOICE, AT(reload), .choices = reloads, .text = "signal", .unbuilt = "auto"},
    {CONF_TOP, "python_path", CONF_PATHS, AT(python_path), COUNT(conf, python_path_count), RANGE(1, PATH_MAX_LEN)},
    {CONF_TOP, "venv", CONF_PATH, AT(venv), RANGE(0, PATH_MAX_LEN), .text = ""},
    {CONF_TOP, "handler_timeout_ms", CONF_UINT, AT(handler_timeout_ms), MS(25000)},
    {CONF_TOP, "stall_timeout_ms", CONF_UINT, AT(stall_timeout_ms), MS(10000)},
    {CONF_TOP, "drain_timeout_ms", CONF_UINT, AT(drain_timeout_ms), MS_OR_NEVER(10000)},
    {CONF_TOP, "server", CONF_SECTION, .sub = CONF_SERVER},
    {CONF_TOP, "binds", CONF_LIST, AT(binds), COUNT(conf, bind_count), .sub = CONF_BIND,
     .element = sizeof(struct conf_bind)},
    {CONF_TOP, "routing", CONF_SECTION, .sub = CONF_ROUTING},
    {CONF_TOP, "redis", CONF_SECTION, .sub = CONF_REDIS},
    {CONF_TOP, "http", CONF_UNBUILT, .offset = 0},
    {CONF_TOP, "log", CONF_SECTION, .sub = CONF_LOG},

    {CONF_SERVER, "bind_address", CONF_ADDRESS, AT(server.bind_address), RANGE(1, NAME_MAX_LEN), .text = "0.0.0.0"},
    {CONF_SERVER, "port", CONF_UINT, AT(server.port), RANGE(1, 65535), .number = 2775},
    {CONF_SERVER, "system_id", CONF_STRING, AT(server.system_id), SYSTEM_ID, .text = "smscd"},
    {CONF_SERVER, "session_init_timer_ms", CONF_UINT, AT(server.session_init_timer_ms), MS(5000)},
    {CONF_SERVER, "enquire_link_timer_ms", CONF_UINT, AT(server.enquire_link_timer_ms), MS_OR_NEVER(30000)},
    {CONF_SERVER, "inactivity_timer_ms", CONF_UINT, AT(server.inactivity_timer_ms), MS_OR_NEVER(300000)},
    {CONF_SERVER, "response_timer_ms", CONF_UINT, AT(server.response_timer_ms), MS(30000)},
    {CONF_SERVER, "window", CONF_UINT, AT(server.window), RANGE(1, 10000), .number = 100},
    {CONF_SERVER, "park_bytes", CONF_UINT, AT(server.park_bytes), RANGE(0, 1 << 30), .number = 262144},
    {CONF_SERVER, "deliver_window", CONF_UINT, AT(server.deliver_window), RANGE(1, 10000), .number = 10},
    {CONF_SERVER, "deliver_queue", CONF_UINT, AT(server.deliver_queue), RANGE(0, 1000000), .number = 1000},
    {CONF_SERVER, "max_msg_per_sec", CONF_UNBUILT, .offset = 0},
    {CONF_SERVER, "throttle_action", CONF_UNBUILT, .offset = 0},
    {CONF_SERVER, "max_sessions", CONF_UINT, AT(server.max_sessions), RANGE(0, 1000000)},
    {CONF_SERVER, "max_sessions_per_system_id", CONF_UINT, AT(server.max_sessions_per_system_id), RANGE(0, 1000000)},
    {CONF_SERVER, "max_connections_per_address", CONF_UINT, AT(server.max_connections_per_address), RANGE(0, 1000000)},
    {CONF_SERVER, "max_pdu_bytes", CONF_UINT, AT(server.max_pdu_bytes), RANGE(1024, 200000), .number = 70000},
    {CONF_SERVER, "tls", CONF_UNBUILT, .offset = 0},

    {CONF_BIND, "name", CONF_NAME, IN_BIND(name), RANGE(1, 63), .required = true},
    {CONF_BIND, "host", CONF_STRING, IN_BIND(host), RANGE(1, NAME_MAX_LEN), .required = true},
    {CONF_BIND, "port", CONF_UINT, IN_BIND(port), RANGE(1, 65535), .number = 2775},
    {CONF_BIND, "system_id", CONF_STRING, IN_BIND(system_id), SYSTEM_ID, .required = true},
    {CONF_BIND, "password", CONF_STRING, IN_BIND(password), PASSWORD, .text = "", .secret = true},
    {CONF_BIND, "system_type", CONF_STRING, IN_BIND(system_type), SYSTEM_TYPE, .text = ""},
    {CONF_BIND, "bind_type", CONF_CHOICE, IN_BIND(bind_type), .choices = bind_types, .text = "transceiver",
     .unbuilt = "tx+rx"},
    {CONF_BIND, "sessions", CONF_UINT, IN_BIND(sessions), RANGE(1, 100), .number = 1},
    {CONF_BIND, "addr_range", CONF_STRING, IN_BIND(addr_range), ADDR_RANGE, .text = ""},
    {CONF_BIND, "window", CONF_UINT, IN_BIND(window), RANGE(1, 10000), .number = 10},
    {CONF_BIND, "queue", CONF_UINT, IN_BIND(queue), RANGE(0, 1000000), .number = 1000},
    {CONF_BIND, "deliver_window", CONF_UINT, IN_BIND(deliver_window), RANGE(1, 10000), .number = 100},
    {CONF_BIND, "connect_timeout_ms", CONF_UINT, IN_BIND(connect_timeout_ms), MS(5000)},
    {CONF_BIND, "max_msg_per_sec", CONF_UINT, IN_BIND(max_msg_per_sec), RANGE(0, 1000000)},
    {CONF_BIND, "enquire_link_timer_ms", CONF_UINT, IN_BIND(enquire_link_timer_ms), MS_OR_NEVER(30000)},
    {CONF_BIND, "response_timer_ms", CONF_UINT, IN_BIND(response_timer_ms), MS(20000)},
    {CONF_BIND, "reconnect_min_ms", CONF_UINT, IN_BIND(reconnect_min_ms), MS(1000)},
    {CONF_BIND, "reconnect_max_ms", CONF_UINT, IN_BIND(reconnect_max_ms), MS(60000)},
    {CONF_BIND, "id_match", CONF_CHOICE, IN_BIND(id_match), .choices = id_matches, .text = "exact"},
    {CONF_BIND, "tls", CONF_UNBUILT, .offset = 0},

    {CONF_ROUTING, "default_chain", CONF_CHAIN, AT(default_chain), COUNT(conf, default_chain_count)},
    {CONF_ROUTING, "rules", CONF_LIST, AT(rules), COUNT(conf, rule_count), .sub = CONF_RULE,
     .element = sizeof(struct conf_rule)},

    {CONF_RULE, "name", CONF_STRING, IN_RULE(name), RANGE(0, NAME_MAX_LEN), .text = ""},
    {CONF_RULE, "prefix", CONF_STRING, IN_RULE(prefix), RANGE(0, 20), .required = true},
    {CONF_RULE, "chain", CONF_CHAIN, IN_RULE(chain), COUNT(conf_rule, chain_count), .required = true},
    {CONF_RULE, "options", CONF_OPTIONS, .offset = 0},

    {CONF_REDIS, "url", CONF_URL, AT(redis.url), RANGE(0, 1000), .text = "", .unbuilt = "rediss://"},
    {CONF_REDIS, "prefix", CONF_STRING, AT(redis.prefix), RANGE(0, NAME_MAX_LEN), .text = "siphon:"},
    {CONF_REDIS, "timeout_ms", CONF_UINT, AT(redis.timeout_ms), MS(1000)},

    {CONF_LOG, "level", CONF_CHOICE, AT(log.level), .choices = levels, .text = "info"},
    {CONF_LOG, "format", CONF_CHOICE, AT(log.format), .choices = formats, .text = "text"},
    {CONF_LOG, "file", CONF_PATH, AT(log.file), RANGE(0, PATH_MAX_LEN), .text = ""},
    {.name = NULL},
};

const struct conf_setting *conf_next(enum conf_group group, const struct conf_setting *after)
{
    for (const struct conf_setting *s = after ? after + 1 : conf_settings; s->name; s++) {
        if (s->group == group)
            return s;
    }
    return NULL;
}

const struct conf_setting *conf_find(enum conf_group group, const char *name)
{
    const struct conf_setting *s = NULL;
    while ((s = conf_next(group, s))) {
        if (strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

static void free_strings(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static void free_group(enum conf_group group, void *base)
{
    const struct conf_setting *s = NULL;
    while ((s = conf_next(group, s))) {
        void *at = conf_at(base, s->offset);
        if (s->type <= CONF_URL)
            free(*(char **)at);
        else if (s->type == CONF_PATHS || s->type == CONF_CHAIN)
            free_strings(*(char ***)at, *(size_t *)conf_at(base, s->count_offset));
        else if (s->type == CONF_SECTION)
            free_group(s->sub, base);
    }
}

void conf_free(struct conf **conf)
{
    struct conf *c = *conf;
    if (!c)
        return;
    conf_forget_binds(c);
    for (size_t i = 0; i < c->bind_count; i++)
        free_group(CONF_BIND, &c->binds[i]);
    for (size_t i = 0; i < c->rule_count; i++) {
        free_group(CONF_RULE, &c->rules[i]);
        free_strings(c->rules[i].option_keys, c->rules[i].option_count);
        free_strings(c->rules[i].option_values, c->rules[i].option_count);
    }
    free_group(CONF_TOP, c);
    free(c->binds);
    free(c->rules);
    free(c->path);
    free(c->directory);
    free(c);
    *conf = NULL;
}
