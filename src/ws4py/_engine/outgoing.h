/* What one connection has to send: a queue of pieces, each a buffer of its own or a Python object that is
 * shared. Every function but none of the pieces' bytes needs the GIL: bytes may be sent without it, since
 * pieces that are on their way are neither moved nor added to. */

#ifndef WS4PY_OUTGOING_H
#define WS4PY_OUTGOING_H

#include <Python.h>
#include <stdint.h>
#include <sys/uio.h>

/* Replies are copied together up to this size, so that many leave in one call. */
#define WS4PY_JOINED (64 * 1024)
#define WS4PY_FIRST_PIECE 256

struct ws4py_piece {
    PyObject *owner; /* whose bytes these are, NULL for a buffer of its own */
    char *data;
    size_t begin, end, capacity;
};

struct ws4py_outgoing {
    struct ws4py_piece *pieces;
    size_t size;                 /* bytes */
    uint32_t first, count, room; /* pieces[first .. first + count) of `room` */
    uint32_t flying;             /* of these, how many are being sent */
};

static inline struct ws4py_piece *ws4py_piece_at(struct ws4py_outgoing *out, size_t index)
{
    return &out->pieces[out->first + index];
}

/* Sets room aside for one more piece; -1 with MemoryError. */
static inline struct ws4py_piece *ws4py_new_piece(struct ws4py_outgoing *out)
{
    if (out->first + out->count == out->room) {
        if (out->first) {
            memmove(out->pieces, out->pieces + out->first, out->count * sizeof *out->pieces);
            out->first = 0;
        } else {
            uint32_t room = out->room ? 2 * out->room : 4;
            struct ws4py_piece *pieces = PyMem_RawRealloc(out->pieces, room * sizeof *pieces);
            if (!pieces) {
                PyErr_NoMemory();
                return NULL;
            }
            out->pieces = pieces;
            out->room = room;
        }
    }
    return ws4py_piece_at(out, out->count++);
}

/* Makes room for `size` bytes behind a buffer; 0 where that is not possible or not sensible. */
static inline int ws4py_extend(struct ws4py_piece *piece, size_t size)
{
    size_t wanted = piece->end + size;
    if (wanted <= piece->capacity)
        return 1;
    if (wanted > WS4PY_JOINED)
        return 0;
    size_t capacity = 2 * piece->capacity > wanted ? 2 * piece->capacity : wanted;
    char *data = PyMem_RawRealloc(piece->data, capacity);
    if (!data)
        return 0;
    piece->data = data;
    piece->capacity = capacity;
    return 1;
}

/* Returns where the next `size` bytes are to be written, NULL with MemoryError. */
static inline char *ws4py_reserve(struct ws4py_outgoing *out, size_t size)
{
    struct ws4py_piece *piece = out->count > out->flying ? ws4py_piece_at(out, out->count - 1) : NULL;
    if (!piece || piece->owner || !ws4py_extend(piece, size)) {
        piece = ws4py_new_piece(out);
        if (!piece)
            return NULL;
        piece->owner = NULL;
        piece->begin = piece->end = 0;
        piece->capacity = size > WS4PY_FIRST_PIECE ? size : WS4PY_FIRST_PIECE;
        piece->data = PyMem_RawMalloc(piece->capacity);
        if (!piece->data) {
            out->count--;
            PyErr_NoMemory();
            return NULL;
        }
    }
    char *place = piece->data + piece->end;
    piece->end += size;
    out->size += size;
    return place;
}

/* Queues the bytes of an object without a copy; -1 with MemoryError. */
static inline int ws4py_share(struct ws4py_outgoing *out, PyObject *owner, const char *data, size_t size)
{
    struct ws4py_piece *piece = ws4py_new_piece(out);
    if (!piece)
        return -1;
    Py_INCREF(owner);
    *piece = (struct ws4py_piece){owner, (char *)data, 0, size, size};
    out->size += size;
    return 0;
}

/* Puts the first pieces on their way: fills `vectors`, returns how many. */
static inline size_t ws4py_board(struct ws4py_outgoing *out, struct iovec *vectors, size_t most)
{
    uint32_t count = out->count < most ? out->count : (uint32_t)most;
    for (uint32_t i = 0; i < count; i++) {
        struct ws4py_piece *piece = ws4py_piece_at(out, i);
        vectors[i].iov_base = piece->data + piece->begin;
        vectors[i].iov_len = piece->end - piece->begin;
    }
    out->flying = count;
    return count;
}

/* The bytes of a piece as an object: the one that is shared, where it is all of it. */
static inline PyObject *ws4py_piece_bytes(struct ws4py_outgoing *out, uint32_t index)
{
    struct ws4py_piece *piece = ws4py_piece_at(out, index);
    size_t size = piece->end - piece->begin;
    if (piece->owner && PyBytes_CheckExact(piece->owner) && !piece->begin
        && piece->data == PyBytes_AS_STRING(piece->owner) && size == (size_t)PyBytes_GET_SIZE(piece->owner)) {
        Py_INCREF(piece->owner);
        return piece->owner;
    }
    return PyBytes_FromStringAndSize(piece->data + piece->begin, size);
}

static inline void ws4py_drop_piece(struct ws4py_outgoing *out)
{
    struct ws4py_piece *piece = ws4py_piece_at(out, 0);
    if (piece->owner)
        Py_DECREF(piece->owner);
    else
        PyMem_RawFree(piece->data);
    out->first++;
    out->count--;
}

/* Notes that the kernel has taken `sent` bytes, and that nothing is on its way any more. */
static inline void ws4py_landed(struct ws4py_outgoing *out, size_t sent)
{
    out->flying = 0;
    out->size -= sent;
    while (sent) {
        struct ws4py_piece *piece = ws4py_piece_at(out, 0);
        size_t left = piece->end - piece->begin;
        if (sent < left) {
            piece->begin += sent;
            return;
        }
        sent -= left;
        ws4py_drop_piece(out);
    }
    if (!out->count) {
        /* Nothing is kept for a connection that is idle. */
        PyMem_RawFree(out->pieces);
        out->pieces = NULL;
        out->first = out->room = 0;
    }
}

static inline void ws4py_clear(struct ws4py_outgoing *out)
{
    ws4py_landed(out, out->size);
}

#endif
