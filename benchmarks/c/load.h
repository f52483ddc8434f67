/* The load generator's parts, and what they share.
 *
 * Every connection goes to 127.0.0.1, every wait has a limit, and the first thing that is not as it
 * must be ends the program: a run in which a byte was wrong has no figures. */

#ifndef WS4PY_BENCH_LOAD_H
#define WS4PY_BENCH_LOAD_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "wire.h"

#define STAMP 16          /* bytes at a payload's begin that tell connection and message */
#define RECEIVE_SIZE (256 * 1024)
#define STEPS_MAX 32
#define HEAD_SIZE 2048    /* of a request or a response */
#define STALL 20000       /* milliseconds without any progress that end the program */

struct options {
    const char *scenario; /* echo, broadcast, connect, handshake, http, idle */
    const char *path;
    const char *kind;     /* binary, ascii, utf8 */
    int port;
    int connections;
    int pipeline;         /* messages sent at once, and awaited before the next ones */
    int parallel;         /* connections being opened at once by connect, handshake, http */
    size_t size;
    double seconds, warmup;
    uint64_t messages;    /* after which no more are sent, 0 for no limit */
    int steps[STEPS_MAX]; /* of idle: how many connections are open at each report */
    int step_count;
    bool controlled;      /* wait for a line on stdin before each phase */
    unsigned limit;       /* seconds after which the program ends whatever it is doing */
};

struct connection {
    int fd;
    uint32_t id;
    uint64_t sent, received; /* messages */
    uint64_t since;          /* when the messages under way were sent */
    uint8_t *out;            /* room for `pipeline` frames and one pong */
    size_t out_begin, out_end, out_capacity;
    bool waiting_to_write;
    /* The frame and the message being received. */
    uint8_t head[HEADER_MAX];
    size_t head_have;
    bool in_frame;
    struct header header;
    uint64_t left;           /* of the frame's payload */
    bool in_message;
    uint64_t offset;         /* in the message's payload */
    uint8_t control[CONTROL_MAX];
};

struct crowd {
    const struct options *options;
    struct connection *all;
    int count;
    bool broadcasts;         /* each message of connection 0 comes to all */
    int poller;
    uint8_t *payload;        /* what every message holds behind its stamp */
    unsigned opcode;
    struct histogram latencies;
    uint64_t complete;       /* messages received in this phase */
    uint64_t under_way;      /* messages, or deliveries of a broadcast, still awaited */
    uint64_t messages;       /* the phase's limit */
    bool stopping;           /* its time is up */
    uint64_t pongs;
};

/* support.c */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
uint64_t now(void);                /* monotonic nanoseconds */
double cpu_seconds(void);          /* used by this process so far */
uint64_t random_bits(void);        /* xorshift, seeded by the kernel */
void await_word(const struct options *options); /* a line on stdin, when controlled */
void make_payload(uint8_t *payload, size_t size, const char *kind);
void stamp(uint8_t *payload, uint32_t id, uint64_t number); /* STAMP bytes of ASCII */

/* opening.c */
int begin_connect(int port, unsigned number); /* non-blocking, from one of 16 source addresses */
/* Writes the request into `out` and returns its length; `accept` is what the server must answer. */
size_t write_upgrade(char *out, size_t room, const struct options *options,
                     char accept[ACCEPT_LENGTH + 1]);
void check_upgraded(const char *head, const char *accept); /* a complete head, zero-terminated */
void reset(int fd); /* closes with a RST: no port is left in TIME_WAIT */
/* Opens these, and waits until the server has answered a ping on each: then it serves them. */
void open_all(struct crowd *crowd, int from, int to);

/* frames.c */
void queue_message(struct crowd *crowd, struct connection *c);
void queue_control(struct connection *c, unsigned opcode, const uint8_t *payload, size_t size);
size_t out_room(const struct options *options); /* what a connection's `out` must hold */
void flush_out(struct crowd *crowd, struct connection *c);
/* Feeds what one recv brought; calls `message` for each verified message. */
void receive(struct crowd *crowd, struct connection *c,
             void (*message)(struct crowd *, struct connection *, uint64_t when));

/* The scenarios. */
void run_traffic(const struct options *options); /* traffic.c: echo and broadcast */
void run_idle(const struct options *options);    /* traffic.c */
void run_connects(const struct options *options); /* connects.c: connect, handshake, http */

#endif
