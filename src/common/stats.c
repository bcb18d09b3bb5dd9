/* Counters in shared memory: one anonymous mapping made before the workers are forked.
 * Each worker writes its own block, so no lock is needed. */
#include "stats.h"

#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>

#include "log.h"

struct stats_block *stats_map(unsigned n)
{
    size_t size = (n ? n : 1) * sizeof(struct stats_block);
    void *blocks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED) {
        log_alert("stats", "cannot map %zu octets of shared memory: %s", size, strerror(errno));
        abort();
    }
    return blocks;
}
