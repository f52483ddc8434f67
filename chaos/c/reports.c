/* One line of JSON with everything counted so far. */

#include "storm.h"

#include <stdio.h>

static double seconds(uint64_t later, uint64_t earlier)
{
    return later && earlier && later > earlier ? (double)(later - earlier) / 1e9 : 0.0;
}

static void counts(const char *name, const uint64_t *counted, int many)
{
    const char *comma = "";
    printf(", \"%s\": {", name);
    for (int i = 0; i < many; i++) {
        if (counted[i]) {
            printf("%s\"%d\": %llu", comma, i, (unsigned long long)counted[i]);
            comma = ", ";
        }
    }
    printf("}");
}

static void number(const char *name, uint64_t value)
{
    printf(", \"%s\": %llu", name, (unsigned long long)value);
}

void report(const struct storm *storm, const char *event, uint64_t since)
{
    const struct counters *seen = &storm->seen;
    int done = 0;
    for (int i = 0; i < storm->begun; i++)
        done += storm->all[i].done;
    printf("{\"event\": \"%s\", \"seconds\": %.4f, \"alive\": %d, \"waiting\": %d, "
           "\"done\": %d",
           event, seconds(now(), since), storm->alive, storm->in_flight, done);
    number("opened", seen->opened);
    number("failed", seen->failed);
    number("retried", seen->retried);
    number("sent_bytes", seen->sent_bytes);
    number("messages", seen->messages);
    number("bytes", seen->bytes);
    number("disorder", seen->disorder);
    number("pings", seen->pings);
    number("pongs", seen->pongs);
    number("eofs", seen->eofs);
    number("resets", seen->resets);
    number("unsaid", seen->unsaid);
    counts("statuses", seen->statuses, STATUSES);
    counts("codes", seen->codes, CODES);
    printf(", \"first_gone\": %.4f, \"last_gone\": %.4f",
           seconds(seen->first_gone, storm->attack_at), seconds(seen->last_gone, storm->attack_at));
    printf(", \"handshake_p50_ms\": %.3f, \"handshake_p99_ms\": %.3f",
           quantile(&seen->handshakes, 0.5) / 1e3, quantile(&seen->handshakes, 0.99) / 1e3);
    printf(", \"delivery_p50_ms\": %.3f, \"delivery_p99_ms\": %.3f, \"delivery_worst_ms\": %.3f}\n",
           quantile(&seen->deliveries, 0.5) / 1e3, quantile(&seen->deliveries, 0.99) / 1e3,
           (double)seen->worst_delivery / 1e6);
    fflush(stdout);
}
