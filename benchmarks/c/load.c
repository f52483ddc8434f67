/* The load generator: options, and which scenario to run.
 *
 *     load echo|broadcast|connect|handshake|http|idle --port PORT [options]
 *
 * It prints one JSON object a line: "open" (connections stand), "ready" (warm), and "done" with the
 * figures, or "failed". With --controlled it waits for a line on stdin behind each, so that whoever
 * runs it can read the server's clock at exactly those moments. */

#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option known[] = {
    {"port", required_argument, NULL, 'p'},        {"path", required_argument, NULL, 'u'},
    {"connections", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 's'},
    {"pipeline", required_argument, NULL, 'b'},    {"parallel", required_argument, NULL, 'j'},
    {"kind", required_argument, NULL, 'k'},        {"seconds", required_argument, NULL, 't'},
    {"warmup", required_argument, NULL, 'w'},      {"messages", required_argument, NULL, 'm'},
    {"steps", required_argument, NULL, 'i'},       {"limit", required_argument, NULL, 'l'},
    {"controlled", no_argument, NULL, 'x'},        {NULL, 0, NULL, 0},
};

__attribute__((noreturn)) static void usage(const char *complaint)
{
    fprintf(stderr, "load: %s\nusage: load echo|broadcast|connect|handshake|http|idle --port PORT",
            complaint);
    for (const struct option *option = known; option->name; option++)
        fprintf(stderr, " [--%s%s]", option->name, option->has_arg ? " X" : "");
    fprintf(stderr, "\n");
    exit(2);
}

static double number(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most))
        usage(text);
    return value;
}

static void set_steps(struct options *options, char *text)
{
    for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
        int before = options->step_count ? options->steps[options->step_count - 1] : 0;
        if (options->step_count == STEPS_MAX)
            usage("too many steps");
        options->steps[options->step_count++] = (int)number(word, before + 1, 20000);
    }
}

static void set(struct options *options, int which, char *value)
{
    switch (which) {
    case 'p': options->port = (int)number(value, 1, 65535); break;
    case 'u': options->path = value; break;
    case 'c': options->connections = (int)number(value, 1, 20000); break;
    case 's': options->size = (size_t)number(value, STAMP, 64 << 20); break;
    case 'b': options->pipeline = (int)number(value, 1, 1024); break;
    case 'j': options->parallel = (int)number(value, 1, 64); break;
    case 'k': options->kind = value; break;
    case 't': options->seconds = number(value, 0, 600); break;
    case 'w': options->warmup = number(value, 0, 60); break;
    case 'm': options->messages = (uint64_t)number(value, 0, 1e12); break;
    case 'i': set_steps(options, value); break;
    case 'l': options->limit = (unsigned)number(value, 1, 3600); break;
    case 'x': options->controlled = true; break;
    default: usage("unknown option");
    }
}

static void check(const struct options *options)
{
    static const char *const kinds[] = {"binary", "ascii", "utf8"};
    bool found = false;
    for (int i = 0; i < 3; i++)
        found |= !strcmp(options->kind, kinds[i]);
    if (!found)
        usage("--kind is binary, ascii or utf8");
    if (!options->port)
        usage("--port is missing");
    if (options->seconds <= 0 && !options->messages)
        usage("--seconds or --messages must bound the run");
    if (!strcmp(options->scenario, "idle") && !options->step_count)
        usage("--steps is missing");
}

static void out_of_time(int signal)
{
    static const char text[] = "{\"event\": \"failed\", \"error\": \"the time limit was reached\"}\n";
    (void)signal;
    ssize_t ignored = write(STDOUT_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

int main(int count, char **arguments)
{
    struct options options = {
        .path = "/ws", .kind = "binary", .connections = 1, .pipeline = 1, .parallel = 8,
        .size = 32, .seconds = 1, .limit = 300,
    };
    if (count < 2)
        usage("no scenario");
    options.scenario = arguments[1];
    optind = 2;
    for (int which; (which = getopt_long(count, arguments, "", known, NULL)) != -1;)
        set(&options, which, optarg);
    check(&options);
    signal(SIGALRM, out_of_time);
    alarm(options.limit);
    if (!strcmp(options.scenario, "echo") || !strcmp(options.scenario, "broadcast"))
        run_traffic(&options);
    else if (!strcmp(options.scenario, "connect") || !strcmp(options.scenario, "handshake") ||
             !strcmp(options.scenario, "http"))
        run_connects(&options);
    else if (!strcmp(options.scenario, "idle"))
        run_idle(&options);
    else
        usage("unknown scenario");
    return 0;
}
