/* redis://[[user]:password@]host[:port][/db] and unix://path[?db=n]. */
#include "store_url.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

static char *part(const char *from, const char *to)
{
    return xasprintf("%.*s", (int)(to - from), from);
}

/* Decimal, at most max, up to the end of the string. */
static int number(const char *s, unsigned max, unsigned *value)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);
    if (end == s || *end || n > max)
        return -1;
    *value = (unsigned)n;
    return 0;
}

static int parse_unix(const char *rest, struct store_url *url)
{
    const char *query = strchr(rest, '?');
    url->path = part(rest, query ? query : rest + strlen(rest));
    if (query && (strncmp(query, "?db=", 4) != 0 || number(query + 4, 65535, &url->database) < 0))
        return -1;
    return url->path[0] ? 0 : -1;
}

static void parse_user(const char *from, const char *at, struct store_url *url)
{
    const char *colon = memchr(from, ':', (size_t)(at - from));
    if (colon && colon > from)
        url->user = part(from, colon);
    url->password = part(colon ? colon + 1 : from, at);
}

static int parse_address(char *address, struct store_url *url)
{
    char *port = strrchr(address, ':'), *close = strchr(address, ']');
    if (address[0] == '[' && close) {
        url->host = part(address + 1, close);
        port = close[1] == ':' ? close + 1 : NULL;
    } else {
        url->host = part(address, port ? port : address + strlen(address));
    }
    if (port && number(port + 1, 65535, &url->port) < 0)
        return -1;
    return url->host[0] ? 0 : -1;
}

static int parse_tcp(const char *rest, struct store_url *url)
{
    const char *at = strrchr(rest, '@');
    if (at) {
        parse_user(rest, at, url);
        rest = at + 1;
    }
    const char *slash = strchr(rest, '/');
    if (slash && slash[1] && number(slash + 1, 65535, &url->database) < 0)
        return -1;
    char *address = part(rest, slash ? slash : rest + strlen(rest));
    int r = parse_address(address, url);
    free(address);
    return r;
}

int store_url_parse(const char *text, struct store_url *url, char **error)
{
    int r = -1;
    *url = (struct store_url){.port = 6379};
    if (strncmp(text, "unix://", 7) == 0)
        r = parse_unix(text + 7, url);
    else if (strncmp(text, "redis://", 8) == 0)
        r = parse_tcp(text + 8, url);
    if (r < 0)
        *error = xasprintf("redis.url: expected redis://[[user]:password@]host[:port][/db] or unix://path");
    return r;
}

void store_url_free(struct store_url *url)
{
    free(url->path);
    free(url->host);
    free(url->user);
    free(url->password);
    *url = (struct store_url){0};
}
