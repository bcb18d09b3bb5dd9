/* The text of a delivery receipt, read from colon to colon: what stands before each tells whether it ends a key.
 * So values may hold blanks and colons, and fields may follow each other without a blank. */
#include "receipt.h"
#include "util.h"

#include <string.h>
#include <strings.h>

/* How a key ends, before its colon; the two dates end alike and are told apart by what stands before. */
static const struct {
    const char *first; /* "submit" of "submit date"; NULL when the key is one word */
    const char *last;
} key_words[RECEIPT_KEY_COUNT] = {
    [RECEIPT_id] = {NULL, "id"},
    [RECEIPT_sub] = {NULL, "sub"},
    [RECEIPT_dlvrd] = {NULL, "dlvrd"},
    [RECEIPT_submit_date] = {"submit", "date"},
    [RECEIPT_done_date] = {"done", "date"},
    [RECEIPT_stat] = {NULL, "stat"},
    [RECEIPT_err] = {NULL, "err"},
    [RECEIPT_text] = {NULL, "text"},
};

#define NO_KEY RECEIPT_KEY_COUNT

/*   id: 12ab stat:...
 *      |    |
 *  value    word_end      A key that starts at word_end or before follows its value without a blank. */
struct parser {
    struct receipt *r;
    const uint8_t *value;    /* where the current value begins, its leading blanks included */
    const uint8_t *word_end; /* where the first word of the value ends */
    const uint8_t *end;
    enum receipt_key key; /* whose value that is; NO_KEY: nobody's */
    unsigned found;
};

/* NUL too: some SMSCs end the text with one. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\0' || (c >= '\t' && c <= '\r');
}

static bool is_separator(uint8_t c)
{
    return is_blank(c) || c == ',' || c == ';';
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_word(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static const uint8_t *back_over_blanks(const uint8_t *from, const uint8_t *end)
{
    while (end > from && is_blank(end[-1]))
        end--;
    return end;
}

/* Where `word` begins when the octets up to `end` end with it, in any letter case; else NULL. */
static const uint8_t *back_over_word(const uint8_t *from, const uint8_t *end, const char *word)
{
    size_t n = strlen(word);
    bool may_be = (size_t)(end - from) >= n && (end[-1] | 0x20) == word[n - 1]; /* mostly it is not */
    if (!may_be || strncasecmp((const char *)end - n, word, n) != 0)
        return NULL;
    return end - n;
}

/* The same for a key: one word, or two with blanks, '_' or nothing between. */
static const uint8_t *back_over_key(const uint8_t *from, const uint8_t *end, enum receipt_key key)
{
    const uint8_t *at = back_over_word(from, end, key_words[key].last);
    if (!at || !key_words[key].first)
        return at;
    while (at > from && (is_blank(at[-1]) || at[-1] == '_'))
        at--;
    return back_over_word(from, at, key_words[key].first);
}

/* The key that ends before the colon, and where it begins; NO_KEY when there is none. Without a separator before it,
 * it is a key only when it is stuck to the value of another, and not there yet: "msgid:" and "grid:" are not "id:". */
static enum receipt_key key_before(const struct parser *p, const uint8_t *colon, const uint8_t **start)
{
    const uint8_t *end = back_over_blanks(p->value, colon);

    for (unsigned key = 0; key < RECEIPT_KEY_COUNT; key++) {
        const uint8_t *at = back_over_key(p->value, end, (enum receipt_key)key);
        if (!at)
            continue;
        bool apart = at == p->value || is_separator(at[-1]);
        bool stuck = p->key != NO_KEY && p->key != key && !p->r->v[key].p && at <= p->word_end;
        if (!apart && !stuck)
            continue;
        *start = at;
        return (enum receipt_key)key;
    }
    return NO_KEY;
}

/* Whether an unknown key ends before the colon: a word after a blank, but not the first word of a value. */
static bool unknown_key_before(const struct parser *p, const uint8_t *colon, const uint8_t **start)
{
    const uint8_t *at = colon;
    while (at > p->value && is_word(at[-1]))
        at--;
    *start = at;
    return at < colon && is_letter(*at) && at > p->word_end;
}

/* The current value ends at `end`. The first of a repeated key counts. */
static void end_value(struct parser *p, const uint8_t *end)
{
    const uint8_t *at = p->value;

    if (p->key == NO_KEY || p->r->v[p->key].p)
        return;
    while (at < end && is_blank(*at))
        at++;
    end = back_over_blanks(at, end);
    while (p->key != RECEIPT_text && end > at && is_separator(end[-1]))
        end--;
    if (p->key == RECEIPT_submit_date || p->key == RECEIPT_done_date)
        for (const uint8_t *c = at; c < end; c++)
            if (is_blank(*c))
                end = c;
    p->r->v[p->key].p = at;
    p->r->v[p->key].n = (size_t)(end - at);
    p->found++;
}

static void begin_value(struct parser *p, enum receipt_key key, const uint8_t *at)
{
    p->key = key;
    p->value = at;
    if (at < p->word_end) /* still the same word: a text without blanks is not walked again and again */
        return;
    while (at < p->end && is_blank(*at))
        at++;
    while (at < p->end && !is_blank(*at))
        at++;
    p->word_end = at;
}

const char *receipt_key_name(enum receipt_key key)
{
#define X(name) #name,
    static const char *const names[] = {RECEIPT_KEYS(X)};
#undef X
    return names[key];
}

unsigned receipt_parse(struct receipt *r, const uint8_t *text, size_t len)
{
    const uint8_t *end = text + len, *colon = text, *start;
    struct parser p = {.r = r, .word_end = text, .end = end};

    memset(r, 0, sizeof(*r));
    begin_value(&p, NO_KEY, text);
    while (p.key != RECEIPT_text && (colon = memchr(colon, ':', (size_t)(end - colon)))) {
        enum receipt_key key = key_before(&p, colon, &start);
        if (key != NO_KEY || unknown_key_before(&p, colon, &start)) {
            end_value(&p, start);
            begin_value(&p, key, colon + 1);
        }
        colon++;
    }
    end_value(&p, end);
    return p.found;
}

static void put_text(struct wire *w, const char *text)
{
    wire_put_octets(w, text, strlen(text));
}

static void put_value(struct wire *w, const struct receipt *r, enum receipt_key key, const char *label)
{
    const uint8_t *p = r->v[key].p;
    bool counted = key == RECEIPT_sub || key == RECEIPT_dlvrd;

    if (!p && !counted)
        return;
    if (wire_done(w))
        put_text(w, " ");
    put_text(w, label);
    if (p)
        wire_put_octets(w, p, r->v[key].n);
    else
        put_text(w, "001");
}

size_t receipt_format(const struct receipt *r, char *to, size_t cap)
{
    static const char *const labels[RECEIPT_KEY_COUNT] = {
        [RECEIPT_id] = "id:",
        [RECEIPT_sub] = "sub:",
        [RECEIPT_dlvrd] = "dlvrd:",
        [RECEIPT_submit_date] = "submit date:",
        [RECEIPT_done_date] = "done date:",
        [RECEIPT_stat] = "stat:",
        [RECEIPT_err] = "err:",
        [RECEIPT_text] = "text:",
    };
    struct wire w = wire_of(to, cap);

    for (unsigned key = 0; key < RECEIPT_KEY_COUNT; key++)
        put_value(&w, r, (enum receipt_key)key, labels[key]);
    return w.error ? 0 : wire_done(&w);
}
