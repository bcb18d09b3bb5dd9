/* The url of a Redis server, taken apart. */
#ifndef SMSCD_STORE_URL_H
#define SMSCD_STORE_URL_H

struct store_url {
    char *path;            /* unix://: the socket; else NULL */
    char *host;            /* redis://: else NULL */
    unsigned port;         /* 6379 */
    char *user, *password; /* NULL: none */
    unsigned database;
};

/* 0, or -1 with *error (malloc'd), which does not show a password. Free with store_url_free in either case. */
int store_url_parse(const char *text, struct store_url *url, char **error);
void store_url_free(struct store_url *url);

#endif
