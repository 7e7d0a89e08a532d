#include "net/crc32c.h"

/* Bit by bit: headers are short, and a table would cost more cache than it saves. */
uint32_t crc32c(uint32_t sum, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    sum = ~sum;
    while (size-- > 0) {
        sum ^= *byte++;
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
    }
    return ~sum;
}
