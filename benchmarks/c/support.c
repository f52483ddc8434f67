#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

void fail(const char *format, ...)
{
    va_list arguments;
    printf("{\"event\": \"failed\", \"error\": \"");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\"}\n");
    fflush(stdout);
    exit(1);
}

uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

uint64_t random_bits(void)
{
    static uint64_t state;
    while (!state)
        if (getrandom(&state, sizeof state, 0) != sizeof state)
            fail("getrandom");
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void await_word(const struct options *options)
{
    char line[64];
    fflush(stdout);
    if (options->controlled && !fgets(line, sizeof line, stdin))
        exit(1); /* whoever controlled this is gone */
}

/* Characters of two, three and four bytes only, so that no validator has an ASCII path to take. */
static void make_text(uint8_t *payload, size_t size)
{
    static const char *const characters[] = {"\xC3\xA9", "\xD0\xB6", "\xE4\xB8\x96",
                                             "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xCE\xA9"};
    size_t at = 0;
    for (size_t i = 0; at < size; i++) {
        const char *character = characters[i % 6];
        size_t length = strlen(character);
        if (at + length > size)
            character = "~", length = 1;
        memcpy(payload + at, character, length);
        at += length;
    }
}

void make_payload(uint8_t *payload, size_t size, const char *kind)
{
    memset(payload, '0', STAMP);
    if (!strcmp(kind, "utf8")) {
        make_text(payload + STAMP, size - STAMP);
        return;
    }
    bool ascii = !strcmp(kind, "ascii");
    for (size_t i = STAMP; i < size; i++)
        payload[i] = ascii ? (uint8_t)('a' + random_bits() % 26) : (uint8_t)random_bits();
}

void stamp(uint8_t *payload, uint32_t id, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 5; i++)
        payload[i] = (uint8_t)digits[id >> 4 * i & 15];
    for (int i = 5; i < STAMP; i++)
        payload[i] = (uint8_t)digits[number >> 4 * (i - 5) & 15];
}
