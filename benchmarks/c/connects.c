/* Connections that come and go: connect (a WebSocket's whole life without a message), handshake (its
 * beginning alone: all that are opened stay open until the phase is over) and http (an ordinary
 * request on a connection of its own, to compare them with). */

#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PARALLEL_MAX 64
#define GRACE 100000000u /* nanoseconds that a server has for closing, as it should (7.1.1) */
#define TICK 20          /* milliseconds between looks at who is out of time */

struct visit {
    int fd;
    bool asked;    /* the request has been sent */
    bool upgraded;
    bool closed;   /* the server's close frame is there */
    uint64_t since, closed_at;
    size_t have;
    char accept[ACCEPT_LENGTH + 1];
    char text[HEAD_SIZE];
};

struct visitors {
    const struct options *options;
    bool websocket;
    int poller;
    int under_way;
    unsigned begun;
    uint64_t complete;
    uint64_t left_open; /* of these the server did not close in time */
    uint64_t progress;  /* when something last came */
    bool stopping;
    bool holding; /* nobody says goodbye: what is open goes to `held` */
    int *held;
    int held_count;
    struct histogram latencies;
    struct visit all[PARALLEL_MAX];
};

static void begin(struct visitors *visitors, struct visit *visit)
{
    memset(visit, 0, sizeof *visit);
    visit->since = now();
    visit->fd = begin_connect(visitors->options->port, visitors->begun++);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = visit};
    if (epoll_ctl(visitors->poller, EPOLL_CTL_ADD, visit->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    visitors->under_way++;
}

static void complete(struct visitors *visitors, struct visit *visit)
{
    visitors->complete++;
    visitors->under_way--;
    if (!visitors->stopping)
        begin(visitors, visit);
}

static void finish(struct visitors *visitors, struct visit *visit)
{
    reset(visit->fd);
    visit->closed = false;
    complete(visitors, visit);
}

static void hold(struct visitors *visitors, struct visit *visit)
{
    if (visit->have)
        fail("bytes behind the handshake that nothing asked for");
    if (epoll_ctl(visitors->poller, EPOLL_CTL_DEL, visit->fd, NULL) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    visitors->held[visitors->held_count++] = visit->fd;
    visitors->stopping |= visitors->held_count >= visitors->options->connections;
    complete(visitors, visit);
}

static void transmit(const struct visit *visit, const void *data, size_t length)
{
    if (send(visit->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("send: %s", strerror(errno));
}

static void ask(struct visitors *visitors, struct visit *visit)
{
    char request[HEAD_SIZE];
    size_t length;
    if (visitors->websocket)
        length = write_upgrade(request, sizeof request, visitors->options, visit->accept);
    else
        length = (size_t)snprintf(request, sizeof request,
                                  "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                  "Connection: close\r\n\r\n",
                                  visitors->options->port);
    transmit(visit, request, length);
    visit->asked = true;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = visit};
    if (epoll_ctl(visitors->poller, EPOLL_CTL_MOD, visit->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

/* RFC 6455, 7.1.2: say goodbye as a browser does. */
static void say_goodbye(const struct visit *visit)
{
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};
    uint8_t frame[HEADER_MAX + 2], key[4];
    uint32_t bits = (uint32_t)(random_bits() >> 32);
    memcpy(key, &bits, 4);
    size_t size = write_header(frame, CLOSE, 2, key);
    mask_to(frame + size, normal, 2, key);
    transmit(visit, frame, size + 2);
}

static void judge_websocket(struct visitors *visitors, struct visit *visit)
{
    struct header header;
    char *end;
    if (!visit->upgraded && (end = strstr(visit->text, "\r\n\r\n"))) {
        check_upgraded(visit->text, visit->accept);
        record(&visitors->latencies, now() - visit->since, 1);
        visit->upgraded = true;
        visit->have -= (size_t)(end + 4 - visit->text);
        memmove(visit->text, end + 4, visit->have);
        if (visitors->holding) {
            hold(visitors, visit);
            return;
        }
        say_goodbye(visit);
    }
    const uint8_t *frame = (const uint8_t *)visit->text;
    if (!visit->upgraded || !read_header(frame, visit->have, &header) ||
        visit->have < header.size + header.length)
        return;
    if (header.opcode != CLOSE || header.masked)
        fail("opcode %u instead of a close frame", header.opcode);
    unsigned code = header.length < 2 ? 1000u : (unsigned)(frame[2] << 8 | frame[3]);
    if (code != 1000)
        fail("close code %u instead of 1000", code);
    visit->closed = true;
    visit->closed_at = now();
}

static void ended(struct visitors *visitors, struct visit *visit)
{
    if (visitors->websocket && !visit->closed)
        fail("the server ended a connection before the closing handshake was done");
    if (!visitors->websocket) {
        if (strncmp(visit->text, "HTTP/1.1 200 ", 13) || !strstr(visit->text, "\r\n\r\n"))
            fail("no 200: %.*s", (int)strcspn(visit->text, "\r\"\\"), visit->text);
        record(&visitors->latencies, now() - visit->since, 1);
    }
    finish(visitors, visit);
}

static void listen_to(struct visitors *visitors, struct visit *visit)
{
    size_t room = sizeof visit->text - 1 - visit->have;
    ssize_t got = recv(visit->fd, visit->text + visit->have, room, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got < 0 && !visit->closed)
        fail("recv: %s", strerror(errno));
    if (got <= 0) {
        ended(visitors, visit);
        return;
    }
    visit->have += (size_t)got;
    visit->text[visit->have] = '\0';
    if (visitors->websocket)
        judge_websocket(visitors, visit);
}

static void listen_to_all(struct visitors *visitors)
{
    struct epoll_event events[PARALLEL_MAX];
    int ready = epoll_wait(visitors->poller, events, PARALLEL_MAX, TICK);
    const uint64_t when = now();
    if (ready > 0)
        visitors->progress = when;
    else if (when - visitors->progress > STALL * 1000000ull)
        fail("nothing came for %d ms, %d connections wait", STALL, visitors->under_way);
    for (int i = 0; i < ready; i++) {
        struct visit *visit = events[i].data.ptr;
        if (visit->asked)
            listen_to(visitors, visit);
        else
            ask(visitors, visit);
    }
    for (int i = 0; i < visitors->options->parallel; i++) {
        struct visit *visit = &visitors->all[i];
        if (visit->closed && when > visit->closed_at + GRACE) {
            visitors->left_open++;
            finish(visitors, visit);
        }
    }
}

static double phase(struct visitors *visitors, double seconds, uint64_t connections)
{
    const uint64_t start = now();
    memset(&visitors->latencies, 0, sizeof visitors->latencies);
    visitors->complete = visitors->left_open = 0;
    visitors->stopping = false;
    visitors->progress = start;
    for (int i = 0; i < visitors->options->parallel; i++)
        begin(visitors, &visitors->all[i]);
    while (visitors->under_way) {
        listen_to_all(visitors);
        if ((seconds > 0 && (double)(now() - start) / 1e9 >= seconds) ||
            (connections && visitors->complete >= connections))
            visitors->stopping = true;
    }
    return (double)(now() - start) / 1e9;
}

static void begin_holding(struct visitors *visitors)
{
    /* Those under way when the last one wanted has been opened are opened as well. */
    const size_t most = (size_t)(visitors->options->connections + visitors->options->parallel);
    visitors->held = malloc(most * sizeof *visitors->held);
    if (!visitors->held)
        fail("malloc");
    visitors->holding = true;
}

void run_connects(const struct options *options)
{
    static struct visitors visitors;
    if (options->parallel < 1 || options->parallel > PARALLEL_MAX)
        fail("--parallel must be 1 to %d", PARALLEL_MAX);
    visitors.options = options;
    visitors.websocket = strcmp(options->scenario, "http") != 0;
    visitors.poller = epoll_create1(EPOLL_CLOEXEC);
    printf("{\"event\": \"open\", \"connections\": 0}\n");
    await_word(options);
    /* Whole lives, so that no end of theirs falls into what is measured. */
    if (options->warmup > 0)
        phase(&visitors, options->warmup, 0);
    printf("{\"event\": \"ready\"}\n");
    await_word(options);
    if (!strcmp(options->scenario, "handshake"))
        begin_holding(&visitors);
    const double cpu = cpu_seconds();
    const double seconds = phase(&visitors, options->seconds, options->messages);
    printf("{\"event\": \"done\", \"messages\": %llu, \"seconds\": %.9f, \"per_second\": %.1f, "
           "\"p50_us\": %.2f, \"p99_us\": %.2f, \"errors\": 0, \"left_open\": %llu, "
           "\"cpu_seconds\": %.6f}\n",
           (unsigned long long)visitors.complete, seconds, (double)visitors.complete / seconds,
           quantile(&visitors.latencies, 0.5), quantile(&visitors.latencies, 0.99),
           (unsigned long long)visitors.left_open, cpu_seconds() - cpu);
    await_word(options);
    for (int i = 0; i < visitors.held_count; i++)
        reset(visitors.held[i]);
    free(visitors.held);
}
