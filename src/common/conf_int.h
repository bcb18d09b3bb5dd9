/* Within conf*.c: the table of settings, and what its parts share while a file is loaded. */
#ifndef SMSCD_CONF_INT_H
#define SMSCD_CONF_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

enum conf_group { CONF_TOP, CONF_SERVER, CONF_BIND, CONF_ROUTING, CONF_RULE, CONF_REDIS, CONF_LOG };

enum conf_type {
    CONF_STRING,  /* char *; min and max are of its length */
    CONF_PATH,    /* the same, made absolute unless empty */
    CONF_NAME,    /* the same, of a bind: it stands in log lines, commands, Redis keys and the environment */
    CONF_ADDRESS, /* the same, an IP address */
    CONF_URL,     /* the same, of Redis; shown without the password it may hold */
    CONF_UINT,    /* unsigned */
    CONF_CHOICE,  /* an enum: the index in choices */
    CONF_PATHS,   /* char ** and a count, each made absolute */
    CONF_CHAIN,   /* the same, each "bind:NAME" of a configured bind */
    CONF_OPTIONS, /* struct conf_rule's options */
    CONF_SECTION, /* a group, sub */
    CONF_LIST,    /* a list of groups, sub; a pointer and a count */
    CONF_UNBUILT  /* a name of the documentation that this version refuses */
};

struct conf_setting {
    enum conf_group group; /* where it stands */
    const char *name;
    enum conf_type type;
    size_t offset;       /* in struct conf; of CONF_BIND and CONF_RULE in an element */
    size_t count_offset; /* of a list */
    long long min, max;
    long long number;           /* the default of CONF_UINT */
    const char *text;           /* the default of strings and choices */
    const char *const *choices; /* ends with NULL */
    const char *unbuilt;        /* a choice or the beginning of a string that this version refuses */
    enum conf_group sub;
    size_t element; /* size of an element of a list */
    bool required;
    bool secret; /* in no error and no readout */
};

extern const struct conf_setting conf_settings[]; /* ends with a name of NULL */

/* The next setting of a group after `after` (NULL: the first), or NULL. */
const struct conf_setting *conf_next(enum conf_group group, const struct conf_setting *after);
const struct conf_setting *conf_find(enum conf_group group, const char *name);

struct conf_load {
    struct conf *conf;
    char *error; /* the first one; malloc'd */
};

/* Where a value comes from: a line of a file, or the environment (line 0). */
struct conf_place {
    const char *file;
    unsigned line;
    const char *path; /* dotted */
};

/* Notes the error unless there is one. Always -1. */
int conf_fail(struct conf_load *load, const struct conf_place *place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what was found and what the setting expects. */
int conf_mismatch(struct conf_load *load, const struct conf_setting *setting, const struct conf_place *place,
                  const char *found);

/* A path relative to the file made absolute; "" stays. malloc'd. (libconfig names an included file so, too.) */
char *conf_absolute(const struct conf *conf, const char *path);

/* Each sets one value in base (struct conf, conf_bind or conf_rule), after its checks. 0 or -1. */
int conf_set_default(struct conf_load *load, const struct conf_setting *setting, void *base);
/* A value given as text only: an integer too. */
int conf_set_text(struct conf_load *load, const struct conf_setting *setting, void *base,
                  const struct conf_place *place, const char *text);

/* A bind whose values are set, once it stands where it stays: checks what concerns several of them and all binds, and
 * has conf_bind_index() find it. 0 or -1. */
int conf_add_bind(struct conf_load *load, struct conf_bind *bind, const struct conf_place *place);
/* conf_bind_index() finds none any more; before their names are freed. */
void conf_forget_binds(struct conf *conf);
/* An entry of a chain: "bind:NAME" of a configured bind. 0 or -1. */
int conf_check_chain(struct conf_load *load, const char *entry, const struct conf_place *place);

/* The url with ***@ for who is in it. malloc'd. */
char *conf_masked_url(const char *url);

/* text with ${NAME} and ${NAME:-default} replaced (malloc'd), or NULL with the error noted. */
char *conf_expand(struct conf_load *load, const struct conf_place *place, const char *text);
/* SMPP_BIND_<NAME>_*: what it sets of the bind replaces what the file says. 0 or -1. */
int conf_env_bind(struct conf_load *load, struct conf_bind *bind);
/* Two binds whose names come to the same in the environment. 0 or -1. */
int conf_env_check(struct conf_load *load);

static inline void *conf_at(void *base, size_t offset)
{
    return (char *)base + offset;
}

#endif
