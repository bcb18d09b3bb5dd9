/* Runs a fuzz target without libFuzzer: each file of the corpus as it is, then mutations of them, the same ones every
 * time. Usage: fuzz_NAME [MUTATIONS [FILE...]], without files those of the committed corpus. */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 4096

struct input {
    uint8_t octets[INPUT_MAX];
    size_t n;
};

static uint64_t state = 0x5d588b656c078965;

/* xorshift64 */
static unsigned random_below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % n);
}

static void load(struct input *in, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    in->n = fread(in->octets, 1, sizeof(in->octets), file);
    fclose(file);
}

/* In a block of exactly its size, so that a sanitizer sees one octet too many. */
static void run(const struct input *in)
{
    uint8_t *block = malloc(in->n ? in->n : 1);
    memcpy(block, in->octets, in->n);
    LLVMFuzzerTestOneInput(block, in->n);
    free(block);
}

static void insert(struct input *in, const uint8_t *from, size_t n)
{
    size_t at = random_below(in->n + 1);
    if (in->n + n > INPUT_MAX)
        return;
    memmove(in->octets + at + n, in->octets + at, in->n - at);
    memcpy(in->octets + at, from, n);
    in->n += n;
}

static void erase(struct input *in)
{
    size_t at = random_below(in->n), n = 1 + random_below(in->n - at);
    memmove(in->octets + at, in->octets + at + n, in->n - at - n);
    in->n -= n;
}

static void mutate(struct input *in, const struct input *other)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, ':', ' '};
    uint8_t octet = (uint8_t)random_below(256);

    switch (in->n ? random_below(6) : 0) {
    case 0:
        insert(in, &octet, 1);
        break;
    case 1:
        in->octets[random_below(in->n)] = octet;
        break;
    case 2:
        in->octets[random_below(in->n)] = telling[random_below(sizeof(telling))];
        break;
    case 3:
        in->octets[random_below(in->n)] ^= (uint8_t)(1u << random_below(8));
        break;
    case 4:
        erase(in);
        break;
    case 5: {
        size_t from = random_below(other->n + 1);
        insert(in, other->octets + from, random_below(other->n - from + 1));
        break;
    }
    }
}

static void replay(char *const *paths, size_t n, unsigned long mutations)
{
    struct input *corpus = calloc(n, sizeof(*corpus)), in;

    if (!corpus)
        exit(2);
    for (size_t i = 0; i < n; i++) {
        load(&corpus[i], paths[i]);
        run(&corpus[i]);
    }
    while (mutations--) {
        in = corpus[random_below(n)];
        for (unsigned times = 1 + random_below(4); times; times--)
            mutate(&in, &corpus[random_below(n)]);
        run(&in);
    }
    free(corpus);
}

int main(int argc, char **argv)
{
    unsigned long mutations = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    glob_t found;

    if (argc > 2) {
        replay(argv + 2, (size_t)argc - 2, mutations);
        return 0;
    }
    if (glob(FUZZ_CORPUS "/*", 0, NULL, &found) != 0) {
        fprintf(stderr, "no corpus in %s\n", FUZZ_CORPUS);
        return 2;
    }
    replay(found.gl_pathv, found.gl_pathc, mutations);
    globfree(&found);
    return 0;
}
