/* What both programs know of RFC 6455: the accept key, masking, and the frame header.
 *
 * Nothing here does I/O or keeps state, and nothing judges what a peer sent beyond what is needed to
 * find the next frame: the echo server is a yardstick, the conformance suite is elsewhere. */

#ifndef WS4PY_BENCH_WIRE_H
#define WS4PY_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

#define FIN 0x80u
#define MASKED 0x80u
#define HEADER_MAX 14
#define CONTROL_MAX 125
#define KEY_LENGTH 24    /* base64 of the 16 random bytes in Sec-WebSocket-Key */
#define ACCEPT_LENGTH 28 /* base64 of a SHA-1 */

struct header {
    bool fin;
    bool masked;
    unsigned reserved; /* the three RSV bits */
    unsigned opcode;
    uint8_t key[4];
    uint64_t length; /* of the payload */
    size_t size;     /* of the header itself */
};

/* `text` gets the terminating zero too: 4 characters for every 3 bytes begun, and 1. */
void base64(const uint8_t *data, size_t length, char *text);

/* RFC 6455, 4.2.2: what Sec-WebSocket-Accept must be for this key of KEY_LENGTH characters. */
void accept_for(const char *key, char accept[ACCEPT_LENGTH + 1]);

/* Masks or unmasks; the payload's first byte is `data`'s first byte. */
void mask_in_place(uint8_t *data, size_t length, const uint8_t key[4]);

/* The same into another place. `to` may overlap `from` when it lies before it. */
void mask_to(uint8_t *to, const uint8_t *from, size_t length, const uint8_t key[4]);

/* Writes a header for one whole message and returns its size; `key` is NULL for a server's frame. */
size_t write_header(uint8_t *out, unsigned opcode, uint64_t length, const uint8_t *key);

/* The size of that header. */
size_t header_size(uint64_t length, bool masked);

/* Reads a header; false when `have` bytes are not all of it. */
bool read_header(const uint8_t *data, size_t have, struct header *header);

#endif
