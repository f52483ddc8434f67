/* Messages on connections that stay open: echo, broadcast, and none at all (idle). */

#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS 256

static void send_batch(struct crowd *crowd, struct connection *c)
{
    const int pipeline = crowd->options->pipeline;
    for (int i = 0; i < pipeline; i++)
        queue_message(crowd, c);
    crowd->under_way += (uint64_t)pipeline * (crowd->broadcasts ? (uint64_t)crowd->count : 1);
    c->since = now();
    flush_out(crowd, c);
}

static bool wants_more(const struct crowd *crowd)
{
    return !crowd->stopping &&
           !(crowd->messages && crowd->complete + crowd->under_way >= crowd->messages);
}

static void echoed(struct crowd *crowd, struct connection *c, uint64_t when)
{
    record(&crowd->latencies, when - c->since, 1);
    crowd->complete++;
    crowd->under_way--;
    if (c->received == c->sent && wants_more(crowd))
        send_batch(crowd, c);
}

static void delivered(struct crowd *crowd, struct connection *c, uint64_t when)
{
    (void)c;
    crowd->complete++;
    if (--crowd->under_way)
        return;
    /* The time from the request to the last of its deliveries. */
    record(&crowd->latencies, when - crowd->all->since, 1);
    if (wants_more(crowd))
        send_batch(crowd, crowd->all);
}

/* Keeps every connection busy until time or messages are used up, and all that was sent is back.
 * Returns the seconds this took. */
static double phase(struct crowd *crowd, double seconds, uint64_t messages)
{
    struct epoll_event events[EVENTS];
    const uint64_t start = now();
    memset(&crowd->latencies, 0, sizeof crowd->latencies);
    crowd->complete = 0;
    crowd->stopping = false;
    crowd->messages = messages;
    for (int i = 0; i < (crowd->broadcasts ? 1 : crowd->count); i++)
        send_batch(crowd, &crowd->all[i]);
    while (crowd->under_way) {
        int ready = epoll_wait(crowd->poller, events, EVENTS, STALL);
        if (ready <= 0)
            fail("nothing came for %d ms, %llu messages are missing", STALL,
                 (unsigned long long)crowd->under_way);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                flush_out(crowd, c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(crowd, c, crowd->broadcasts ? delivered : echoed);
        }
        if (seconds > 0 && (double)(now() - start) / 1e9 >= seconds)
            crowd->stopping = true;
    }
    return (double)(now() - start) / 1e9;
}

static struct crowd *gather(const struct options *options, int connections)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (!crowd)
        fail("calloc");
    crowd->options = options;
    crowd->count = connections;
    crowd->broadcasts = !strcmp(options->scenario, "broadcast");
    crowd->opcode = strcmp(options->kind, "binary") ? TEXT : BINARY;
    crowd->poller = epoll_create1(EPOLL_CLOEXEC);
    crowd->all = calloc((size_t)connections, sizeof *crowd->all);
    crowd->payload = malloc(options->size);
    if (crowd->poller < 0 || !crowd->all || !crowd->payload)
        fail("out of memory or descriptors");
    make_payload(crowd->payload, options->size, options->kind);
    return crowd;
}

static void leave(struct crowd *crowd)
{
    for (int i = 0; i < crowd->count; i++) {
        reset(crowd->all[i].fd);
        free(crowd->all[i].out);
    }
    free(crowd->all);
    free(crowd->payload);
    free(crowd);
}

void run_traffic(const struct options *options)
{
    struct crowd *crowd = gather(options, options->connections);
    open_all(crowd, 0, crowd->count);
    printf("{\"event\": \"open\", \"connections\": %d}\n", crowd->count);
    await_word(options);
    if (options->warmup > 0)
        phase(crowd, options->warmup, 0);
    printf("{\"event\": \"ready\"}\n");
    await_word(options);
    const double cpu = cpu_seconds();
    const double seconds = phase(crowd, options->seconds, options->messages);
    printf("{\"event\": \"done\", \"messages\": %llu, \"seconds\": %.9f, \"per_second\": %.1f, "
           "\"p50_us\": %.2f, \"p99_us\": %.2f, \"errors\": 0, \"cpu_seconds\": %.6f}\n",
           (unsigned long long)crowd->complete, seconds, (double)crowd->complete / seconds,
           quantile(&crowd->latencies, 0.5), quantile(&crowd->latencies, 0.99),
           cpu_seconds() - cpu);
    await_word(options);
    leave(crowd);
}

void run_idle(const struct options *options)
{
    struct crowd *crowd = gather(options, options->steps[options->step_count - 1]);
    int opened = 0;
    for (int i = 0; i < options->step_count; i++) {
        open_all(crowd, opened, options->steps[i]);
        opened = options->steps[i];
        printf("{\"event\": \"open\", \"connections\": %d}\n", opened);
        await_word(options);
    }
    printf("{\"event\": \"done\", \"messages\": 0, \"errors\": 0}\n");
    await_word(options);
    leave(crowd);
}
