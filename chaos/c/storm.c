/* The storm: options, and the commands that it takes line by line on its standard input.
 *
 *     open N      open as many more connections        reset       end all with a reset
 *     begin N     the same without waiting for them
 *     attack      let all send the script              close       have all say goodbye
 *     finish S    until all have sent it               stall N     the first N stop reading
 *     wait S [N]  until no more than N are left        report      say what was counted
 *
 * Each is answered by one line of JSON when it is done; S is the most seconds that it may take.
 * Meanwhile, and between commands, the connections are served. */

#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS 256
#define TICK 5 /* milliseconds between looks at the clock */

struct command {
    char name[16];
    double seconds;
    int number;
    uint64_t since;
};

static const struct option known[] = {
    {"port", 1, NULL, 'p'},  {"path", 1, NULL, 'u'},   {"extra", 1, NULL, 'e'},
    {"once", 1, NULL, 'o'},  {"again", 1, NULL, 'a'},  {"times", 1, NULL, 'n'},
    {"piece", 1, NULL, 'i'}, {"rate", 1, NULL, 'r'},   {"after", 1, NULL, 'f'},
    {"room", 1, NULL, 'c'},  {"parallel", 1, NULL, 'j'}, {"limit", 1, NULL, 'l'},
    {"raw", 0, NULL, 'w'},   {"retry", 0, NULL, 'y'},  {"stamped", 0, NULL, 's'},
    {"mute", 0, NULL, 'm'},  {"deaf", 0, NULL, 'd'},   {NULL, 0, NULL, 0},
};

static const uint8_t *contents(const char *name, size_t *size)
{
    struct stat about;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0)
        fail("%s: %s", name, strerror(errno));
    *size = (size_t)about.st_size;
    uint8_t *data = malloc(*size + 1);
    for (size_t have = 0; data && have < *size;) {
        ssize_t got = read(fd, data + have, *size - have);
        if (got <= 0)
            fail("%s: cannot be read", name);
        have += (size_t)got;
    }
    close(fd);
    return data;
}

static enum after ending(const char *word)
{
    static const char *const words[] = {"stay", "reset", "close", "half-close"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, words[i]))
            return (enum after)i;
    fail("--after is stay, reset, close or half-close");
}

static void set(struct storm *storm, int which, char *value, bool *deaf)
{
    struct script *script = &storm->script;
    switch (which) {
    case 'p': storm->options.port = atoi(value); break;
    case 'u': storm->options.path = value; break;
    case 'e': storm->extra = value; break;
    case 'o': script->once = contents(value, &script->once_size); break;
    case 'a': script->again = contents(value, &script->again_size); break;
    case 'n': script->times = strtoull(value, NULL, 10); break;
    case 'i': script->piece = strtoull(value, NULL, 10); break;
    case 'r': script->rate = atof(value); break;
    case 'f': script->after = ending(value); break;
    case 'c': storm->room = atoi(value); break;
    case 'j': storm->parallel = atoi(value); break;
    case 'l': alarm((unsigned)atoi(value)); break;
    case 'w': storm->raw = true; break;
    case 'y': storm->retry = true; break;
    case 's': storm->stamped = true; break;
    case 'm': storm->mute = true; break;
    case 'd': *deaf = true; break;
    default: fail("unknown option");
    }
}

static void each(struct storm *storm, enum after how)
{
    for (int i = 0; i < storm->begun; i++) {
        struct peer *peer = &storm->all[i];
        if (peer->stage == OPEN || (how == RESET && peer->stage != GONE && peer->stage != UNUSED))
            leave(storm, peer, how);
        pump(storm, peer);
        want(storm, peer);
    }
}

static void attack(struct storm *storm)
{
    storm->attack_at = now();
    for (int i = 0; i < storm->begun; i++) {
        struct peer *peer = &storm->all[i];
        peer->attacking = true;
        pump(storm, peer);
        want(storm, peer);
    }
}

static void stall(struct storm *storm, int number)
{
    for (int i = 0; i < storm->begun; i++) {
        storm->all[i].stalled = i < number;
        want(storm, &storm->all[i]);
    }
}

static void start(struct storm *storm, struct command *command)
{
    command->since = now();
    if (!strcmp(command->name, "open") || !strcmp(command->name, "begin"))
        storm->wanted += (int)command->seconds;
    else if (!strcmp(command->name, "attack"))
        attack(storm);
    else if (!strcmp(command->name, "reset"))
        each(storm, RESET);
    else if (!strcmp(command->name, "close"))
        each(storm, GOODBYE);
    else if (!strcmp(command->name, "stall"))
        stall(storm, (int)command->seconds);
    if (storm->wanted > storm->room)
        fail("room for %d connections only", storm->room);
}

static bool finished(const struct storm *storm, const struct command *command)
{
    bool late = (double)(now() - command->since) / 1e9 >= command->seconds;
    if (!strcmp(command->name, "open")) {
        bool waits = false;
        for (int i = 0; storm->retry && i < storm->begun; i++)
            waits |= storm->all[i].retry_at != 0;
        return storm->begun == storm->wanted && !storm->in_flight && !waits;
    }
    if (!strcmp(command->name, "wait"))
        return late || storm->alive <= command->number;
    if (!strcmp(command->name, "finish")) {
        for (int i = 0; i < storm->begun && !late; i++)
            if (storm->all[i].stage == OPEN && !storm->all[i].done)
                return false;
        return true;
    }
    return true;
}

/* Opens what is to be opened, and sends what has become due. */
static void advance(struct storm *storm)
{
    while (storm->begun < storm->wanted && storm->in_flight < storm->parallel) {
        struct peer *peer = &storm->all[storm->begun];
        peer->number = (unsigned)storm->begun++;
        begin_peer(storm, peer);
    }
    uint64_t when = now();
    for (int i = 0; storm->retry && i < storm->begun; i++) {
        struct peer *peer = &storm->all[i];
        if (peer->retry_at && peer->retry_at <= when && storm->in_flight < storm->parallel) {
            storm->seen.retried++;
            begin_peer(storm, peer);
        }
    }
    for (int i = 0; storm->script.rate > 0 && i < storm->begun; i++) {
        pump(storm, &storm->all[i]);
        want(storm, &storm->all[i]);
    }
}

static bool next_command(struct command *command)
{
    static char line[128];
    static size_t have;
    ssize_t got = read(STDIN_FILENO, line + have, sizeof line - 1 - have);
    if (!got)
        exit(0); /* whoever commanded this is gone */
    have += got > 0 ? (size_t)got : 0;
    line[have] = '\0';
    char *end = strchr(line, '\n');
    if (!end)
        return false;
    memset(command, 0, sizeof *command);
    sscanf(line, "%15s %lf %d", command->name, &command->seconds, &command->number);
    have -= (size_t)(end + 1 - line);
    memmove(line, end + 1, have);
    return true;
}

static void run(struct storm *storm)
{
    struct epoll_event events[EVENTS];
    struct command command = {0};
    bool busy = false;
    for (;;) {
        int ready = epoll_wait(storm->poller, events, EVENTS, TICK);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer && peer->stage != GONE)
                serve_peer(storm, peer, events[i].events);
        }
        if (!busy && next_command(&command)) {
            busy = true;
            start(storm, &command);
        }
        advance(storm);
        if (busy && finished(storm, &command)) {
            busy = false;
            report(storm, command.name, command.since);
        }
    }
}

int main(int count, char **arguments)
{
    static struct storm storm = {.extra = "", .room = 1, .parallel = 64, .script.piece = 1,
                                 .options.path = "/ws"};
    bool deaf = false;
    for (int which; (which = getopt_long(count, arguments, "", known, NULL)) != -1;)
        set(&storm, which, optarg, &deaf);
    storm.all = calloc((size_t)storm.room, sizeof *storm.all);
    storm.poller = epoll_create1(EPOLL_CLOEXEC);
    if (!storm.all || storm.poller < 0 || !storm.options.port)
        fail("no memory, no poller, or no --port");
    for (int i = 0; i < storm.room; i++)
        storm.all[i].stalled = deaf;
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    run(&storm);
}
