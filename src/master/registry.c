/* The ESME sessions of this node by number, counted by address and by system_id. */
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "log.h"
#include "proc.h"
#include "quiet.h"
#include "util.h"

#define REFUSAL_LOG_MS 1000

struct registry {
    struct esme *sessions;
    struct group *addresses, *system_ids;
    unsigned bound;
    struct quiet refusals;
};

struct registry *registry_new(void)
{
    return xcalloc(1, sizeof(struct registry));
}

static struct group *group_find(struct group *groups, const char *name)
{
    struct group *group;
    HASH_FIND_STR(groups, name, group);
    return group;
}

static struct group *group_join(struct group **groups, const char *name)
{
    struct group *group = group_find(*groups, name);
    if (!group) {
        group = xcalloc(1, sizeof(*group));
        group->name = xstrdup(name);
        HASH_ADD_KEYPTR(hh, *groups, group->name, strlen(group->name), group);
    }
    group->count++;
    return group;
}

static void receivers_leave(struct esme *esme)
{
    if (esme->by_system_id && esme->bind_type != SESSION_TX)
        DL_DELETE(esme->by_system_id->receivers, esme);
}

static void group_leave(struct group **groups, struct group *group)
{
    if (!group || --group->count > 0)
        return;
    HASH_DEL(*groups, group);
    free(group->name);
    free(group);
}

static unsigned group_count(struct group *groups, const char *name)
{
    const struct group *group = group_find(groups, name);
    return group ? group->count : 0;
}

struct esme *registry_add(struct master *m, struct proc *proc, const char *addr, const char *host,
                          unsigned max_per_address)
{
    struct registry *r = m->registry;
    if (max_per_address && group_count(r->addresses, host) >= max_per_address)
        return NULL;
    struct esme *esme = xcalloc(1, sizeof(*esme));
    esme->number = ++m->last_number;
    esme->proc = proc;
    esme->since_ms = util_now_ms();
    esme->by_addr = group_join(&r->addresses, host);
    snprintf(esme->addr, sizeof(esme->addr), "%s", addr);
    HASH_ADD(hh, r->sessions, number, sizeof(esme->number), esme);
    proc->sessions++;
    return esme;
}

void registry_remove(struct master *m, struct esme *esme)
{
    struct registry *r = m->registry;
    HASH_DEL(r->sessions, esme);
    receivers_leave(esme);
    group_leave(&r->addresses, esme->by_addr);
    group_leave(&r->system_ids, esme->by_system_id);
    r->bound -= esme->bound;
    esme->proc->sessions--;
    free(esme);
}

struct esme *registry_find(const struct registry *registry, uint64_t number)
{
    struct esme *esme;
    HASH_FIND(hh, registry->sessions, &number, sizeof(number), esme);
    return esme;
}

struct esme *registry_receiver(struct registry *registry, const char *system_id, enum msg_outcome *why)
{
    struct group *group = group_find(registry->system_ids, system_id);
    struct esme *esme;
    *why = group && group->receivers ? MSG_WINDOW_FULL : MSG_NO_SESSION;
    DL_FOREACH (group ? group->receivers : NULL, esme) {
        if (proc_keeps_up(esme->proc)) {
            DL_DELETE(group->receivers, esme);
            DL_APPEND(group->receivers, esme);
            return esme;
        }
    }
    return NULL;
}

void registry_worker_gone(struct master *m, struct proc *proc)
{
    struct esme *esme, *tmp;
    HASH_ITER (hh, m->registry->sessions, esme, tmp)
        if (esme->proc == proc)
            registry_remove(m, esme);
}

unsigned registry_connected(const struct registry *registry)
{
    return HASH_COUNT(registry->sessions);
}

unsigned registry_bound(const struct registry *registry)
{
    return registry->bound;
}

void registry_each(const struct registry *registry, void (*fn)(void *arg, const struct esme *esme), void *arg)
{
    struct esme *esme, *tmp;
    HASH_ITER (hh, registry->sessions, esme, tmp)
        fn(arg, esme);
}

void registry_free(struct registry **registry)
{
    struct registry *r = *registry;
    struct esme *esme, *tmp;
    if (!r)
        return;
    HASH_ITER (hh, r->sessions, esme, tmp) {
        HASH_DEL(r->sessions, esme);
        group_leave(&r->addresses, esme->by_addr);
        group_leave(&r->system_ids, esme->by_system_id);
        free(esme);
    }
    free(r);
    *registry = NULL;
}

/* Why it may not bind, or NULL. */
static const char *refusal(const struct master *m, const char *system_id, unsigned *limit)
{
    const struct conf_server *server = &m->conf->server;
    *limit = 0;
    if (master_ending(m))
        return "smscd is stopping";
    if (server->max_sessions && m->registry->bound >= server->max_sessions) {
        *limit = server->max_sessions;
        return "max_sessions is reached";
    }
    if (server->max_sessions_per_system_id &&
        group_count(m->registry->system_ids, system_id) >= server->max_sessions_per_system_id) {
        *limit = server->max_sessions_per_system_id;
        return "max_sessions_per_system_id is reached";
    }
    return NULL;
}

static void grant(struct proc *p, uint64_t session, uint32_t status)
{
    uint8_t body[4];
    wire_u32_set(body, status);
    if (!chan_data(p->chan, MSG_SESSION_GRANT, 0, session, body, sizeof(body), NULL, 0))
        proc_kill(p, "its channel is full");
}

static void log_refusal(struct registry *r, const char *system_id, const char *addr, const char *why, unsigned limit)
{
    unsigned skipped;
    if (quiet_may_log(&r->refusals, REFUSAL_LOG_MS, &skipped))
        log_warn("registry", "bind of \"%s\" from %s refused: %s (%u; %u more refusals before)", system_id, addr, why,
                 limit, skipped);
}

void registry_on_session_bind(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct master *m = p->m;
    struct wire w = wire_of(msg->body, msg->len);
    unsigned bind_type = wire_get_u8(&w);
    char system_id[17];
    unsigned limit;
    snprintf(system_id, sizeof(system_id), "%.*s", (int)wire_left(&w), (const char *)w.p);
    struct esme *esme = registry_find(m->registry, msg->session);
    if (!esme || esme->proc != p || esme->bound || w.error || bind_type > SESSION_RX) {
        log_alert("registry", "worker %u asks to bind session %llu, which it cannot", p->index,
                  (unsigned long long)msg->session);
        grant(p, msg->session, ESME_RBINDFAIL);
        return;
    }
    const char *why = refusal(m, system_id, &limit);
    if (why) {
        log_refusal(m->registry, system_id, esme->addr, why, limit);
        grant(p, msg->session, ESME_RBINDFAIL);
        return;
    }
    esme->bound = true;
    esme->bind_type = (enum session_bind_type)bind_type;
    esme->since_ms = util_now_ms();
    esme->by_system_id = group_join(&m->registry->system_ids, system_id);
    if (esme->bind_type != SESSION_TX)
        DL_APPEND(esme->by_system_id->receivers, esme);
    m->registry->bound++;
    grant(p, msg->session, ESME_ROK);
}

void registry_on_session_gone(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct esme *esme = registry_find(p->m->registry, msg->session);
    if (esme && esme->proc == p)
        registry_remove(p->m, esme);
}
