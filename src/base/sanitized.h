/* Whether the program carries a sanitizer. Its run time makes calls and opens files of its own, to the last
 * moment, that no list of ours can know. */
#ifndef BASE_SANITIZED_H
#define BASE_SANITIZED_H

#include <stdbool.h>

#ifdef __has_feature
#define SANITIZED_BY_CLANG (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED_BY_CLANG 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SANITIZED_BY_CLANG
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

#endif
