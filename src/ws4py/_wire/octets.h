/* Masking (RFC 6455 section 5.3) and UTF-8 (RFC 3629), for the compiled modules. No Python in here. */

#ifndef WS4PY_OCTETS_H
#define WS4PY_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes `size` bytes of `from`, masked or unmasked, to `to`, which may be the same place. `key` begins
 * `turn` bytes further on, for a payload that is taken in parts. */
static inline void ws4py_mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                              size_t turn)
{
    uint8_t turned[8];
    uint64_t pattern, word;
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = key[(turn + i) & 3];
    memcpy(&pattern, turned, sizeof pattern);
    size_t i = 0;
    /* memcpy, since neither place is aligned; it becomes one move, or part of a wider one. */
    for (; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, from + i, sizeof word);
        word ^= pattern;
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < size; i++)
        to[i] = from[i] ^ turned[i & 7];
}

#define WS4PY_ASCII_WORD UINT64_C(0x8080808080808080)

/* How many bytes at the start are ASCII. */
static inline size_t ws4py_ascii_run(const uint8_t *text, size_t size)
{
    size_t i = 0;
    uint64_t word, other;
    for (; i + 16 <= size; i += 16) {
        memcpy(&word, text + i, sizeof word);
        memcpy(&other, text + i + sizeof word, sizeof other);
        if ((word | other) & WS4PY_ASCII_WORD)
            break;
    }
    while (i < size && text[i] < 0x80)
        i++;
    return i;
}

/* Takes one character of at most `size` bytes. Returns its length, 0 when it has not come to its end, -1
 * when it never can (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
static inline int ws4py_character(const uint8_t *text, size_t size)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return -1;
    if (size < 2)
        return 0;
    uint8_t second = text[1];
    if ((second & 0xC0) != 0x80)
        return -1;
    if (first < 0xE0)
        return 2;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
        return -1;
    if (size < 3)
        return 0;
    if ((text[2] & 0xC0) != 0x80)
        return -1;
    if (first < 0xF0)
        return 3;
    if (size < 4)
        return 0;
    return (text[3] & 0xC0) == 0x80 ? 4 : -1;
}

#if defined(__x86_64__) && defined(__GNUC__)
#define WS4PY_VECTORS
#include <tmmintrin.h>

/* What a pair of neighbouring bytes can be wrong by, one bit each. A pair is wrong by what its first byte's
 * upper half, its first byte's lower half and its second byte's upper half all allow (the method of Keiser
 * and Lemire, "Validating UTF-8 in less than one instruction per byte", 2021). */
enum {
    SHORT = 1,        /* a first byte without its second */
    LONG = 2,         /* ASCII, and a continuation */
    OVER3 = 4,        /* E0 80..9F */
    LARGE = 8,        /* F4 90..BF, F5.. */
    SURROGATE = 16,   /* ED A0..BF */
    OVER2 = 32,       /* C0, C1 */
    OVER4 = 64,       /* F0 80..8F; also F5.. 80..8F */
    TWO = 128,        /* two continuations, which is right behind E0.. and F0.. */
    ANY = SHORT | LONG | TWO,
    BIG = ANY | LARGE | OVER4
};

/* Returns how many bytes at the start are characters, whole blocks of them: less than there are. */
__attribute__((target("ssse3"))) static size_t ws4py_blocks_run(const uint8_t *text, size_t size)
{
    const __m128i first_high = _mm_setr_epi8(
        LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, (char)TWO, (char)TWO, (char)TWO, (char)TWO,
        SHORT | OVER2, SHORT, SHORT | OVER3 | SURROGATE, SHORT | LARGE | OVER4);
    const __m128i first_low = _mm_setr_epi8(
        (char)(ANY | OVER2 | OVER3 | OVER4), (char)(ANY | OVER2), (char)ANY, (char)ANY,
        (char)(ANY | LARGE), (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG,
        (char)BIG, (char)(BIG | SURROGATE), (char)BIG, (char)BIG);
    const __m128i second_high = _mm_setr_epi8(
        SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
        (char)(LONG | OVER2 | TWO | OVER3 | OVER4), (char)(LONG | OVER2 | TWO | OVER3 | LARGE),
        (char)(LONG | OVER2 | TWO | SURROGATE | LARGE), (char)(LONG | OVER2 | TWO | SURROGATE | LARGE),
        SHORT, SHORT, SHORT, SHORT);
    const __m128i half = _mm_set1_epi8(0x0F);
    __m128i before = _mm_setzero_si128();
    size_t i = 0;
    for (; i + 16 <= size; i += 16) {
        __m128i now = _mm_loadu_si128((const __m128i *)(text + i));
        __m128i one = _mm_alignr_epi8(now, before, 15);
        __m128i two = _mm_alignr_epi8(now, before, 14);
        __m128i three = _mm_alignr_epi8(now, before, 13);
        __m128i wrong = _mm_and_si128(
            _mm_and_si128(_mm_shuffle_epi8(first_high, _mm_and_si128(_mm_srli_epi16(one, 4), half)),
                          _mm_shuffle_epi8(first_low, _mm_and_si128(one, half))),
            _mm_shuffle_epi8(second_high, _mm_and_si128(_mm_srli_epi16(now, 4), half)));
        /* A third or fourth byte has to be there exactly where E0.. or F0.. began. */
        __m128i behind = _mm_or_si128(_mm_subs_epu8(two, _mm_set1_epi8(0xE0 - 0x80)),
                                      _mm_subs_epu8(three, _mm_set1_epi8((char)(0xF0 - 0x80))));
        behind = _mm_and_si128(behind, _mm_set1_epi8((char)0x80));
        wrong = _mm_xor_si128(wrong, behind);
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) != 0xFFFF)
            break;
        before = now;
    }
    /* The last character may go on behind what has been seen: step back to its first byte. */
    if (i)
        do
            i--;
        while (i && (text[i] & 0xC0) == 0x80);
    return i;
}
#endif

/* Returns how many bytes at the start are whole characters. `*wrong` tells whether what follows them is
 * no UTF-8, and not only a character that has not come to its end. */
static inline size_t ws4py_utf8_scan(const uint8_t *text, size_t size, int *wrong)
{
    size_t i = ws4py_ascii_run(text, size);
    *wrong = 0;
#ifdef WS4PY_VECTORS
    if (size - i >= 32 && __builtin_cpu_supports("ssse3"))
        i += ws4py_blocks_run(text + i, size - i);
#endif
    while (i < size) {
        int length = ws4py_character(text + i, size - i);
        if (length <= 0) {
            *wrong = length < 0;
            break;
        }
        i += (size_t)length;
    }
    return i;
}

#endif
