/* CRC32C (Castagnoli), the checksum of PROXY headers. */
#ifndef NET_CRC32C_H
#define NET_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes that go on from those of `sum`, 0 at the start. */
uint32_t crc32c(uint32_t sum, const void *bytes, size_t size);

#endif
