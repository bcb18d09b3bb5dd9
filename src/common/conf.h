/* The configuration: a libconfig file, checked against one table of settings (name, type, range, default). */
#ifndef SMSCD_CONF_H
#define SMSCD_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "log.h"

struct conf_server {
    char *bind_address;
    unsigned port;
    char *system_id;
    unsigned session_init_timer_ms, enquire_link_timer_ms, inactivity_timer_ms, response_timer_ms;
    unsigned window, park_bytes, deliver_window, deliver_queue;
    unsigned max_sessions, max_sessions_per_system_id, max_connections_per_address;
    unsigned max_pdu_bytes;
};

enum conf_bind_type { CONF_BIND_TRX, CONF_BIND_TX, CONF_BIND_RX }; /* same values as enum session_bind_type */
enum conf_reload { CONF_RELOAD_SIGNAL };
enum conf_id_match { CONF_ID_EXACT, CONF_ID_DEC_TO_HEX, CONF_ID_HEX_TO_DEC };

struct conf_bind {
    char *name, *host;
    unsigned port;
    char *system_id, *password, *system_type, *addr_range;
    enum conf_bind_type bind_type;
    unsigned sessions; /* connections, 1.. */
    unsigned window, queue, deliver_window;
    unsigned connect_timeout_ms, enquire_link_timer_ms, response_timer_ms, reconnect_min_ms, reconnect_max_ms;
    unsigned max_msg_per_sec;
    enum conf_id_match id_match;
};

struct conf_rule {
    char *name, *prefix;
    char **chain; /* "bind:NAME", each checked against binds */
    size_t chain_count;
    char **option_keys, **option_values;
    size_t option_count;
};

struct conf {
    char *path;      /* absolute */
    char *directory; /* of the file: relative paths start here (resolved already) */
    char *script, *run_dir, *state_dir;
    unsigned workers; /* 0 in the file: one per core; resolved already */
    enum conf_reload reload;
    char **python_path;
    size_t python_path_count;
    char *venv; /* "" when none */
    unsigned handler_timeout_ms, stall_timeout_ms, drain_timeout_ms;
    struct conf_server server;
    struct conf_bind *binds;
    size_t bind_count;
    void *binds_by_name; /* tree of tsearch(3) over binds */
    char **default_chain;
    size_t default_chain_count;
    struct conf_rule *rules;
    size_t rule_count;
    struct {
        char *url, *prefix;
        unsigned timeout_ms;
    } redis;
    struct {
        enum log_level level;
        enum log_format format;
        char *file;
    } log;
};

/* Loads and checks the file. Returns the configuration, or NULL with *error (malloc'd) saying file, line, name, what
 * was found and what is expected. The environment is read here: ${NAME}, SMPP_BIND_<NAME>_*. */
struct conf *conf_load(const char *path, char **error);
void conf_free(struct conf **conf);
/* The whole of it for smpp.config(): calls back for every setting in the order of the file's groups, with defaults
 * filled in and without passwords. `path` is dotted, with indices: "server.port", "binds.0.name",
 * "routing.rules.1.chain.0", "redis.url" (its password masked). */
struct conf_visit {
    void (*string)(void *arg, const char *path, const char *value);
    void (*integer)(void *arg, const char *path, long long value);
    void (*boolean)(void *arg, const char *path, bool value);
    /* An empty list or group, which would not show otherwise. list: true for a list. */
    void (*empty)(void *arg, const char *path, bool list);
};
void conf_each(const struct conf *conf, const struct conf_visit *visit, void *arg);
/* Index in binds, or -1; what it takes hardly grows with their number. */
int conf_bind_index(const struct conf *conf, const char *name);

#endif
