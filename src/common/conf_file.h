/* Within conf*.c: what reads the nodes of a file that libconfig has parsed. */
#ifndef SMSCD_CONF_FILE_H
#define SMSCD_CONF_FILE_H

#include <libconfig.h>

#include "conf_int.h"

struct conf_place conf_place_of(const struct conf_load *load, const config_setting_t *node, const char *path);

/* Sets one value in base (struct conf, conf_bind or conf_rule), after its checks. 0 or -1. */
int conf_set_node(struct conf_load *load, const struct conf_setting *setting, void *base, const char *path,
                  const config_setting_t *node);

/* libconfig lets an integer over 32 bits wrap without a word. The number as it stands in the file (malloc'd) when the
 * setting's value came about so, else NULL. */
char *conf_oversized(const struct conf *conf, const config_setting_t *node);

#endif
