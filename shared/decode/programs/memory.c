// Memory for the allocator of wasi-libc, from the arena of the host (../arena.ts) instead of `memory.grow`, which the host
// could not bound; and an `abort` that needs nothing of the host.

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE_BYTES 65536

/** Pages that the program has. */
__attribute__((import_module("arena"), import_name("size"))) uint32_t arena_size(void);

/** Gives the program more pages. Returns the number before, or -1. */
__attribute__((import_module("arena"), import_name("grow"))) int32_t arena_grow(uint32_t more);

void* sbrk(intptr_t bytes) {
  if (bytes == 0) return (void*)(arena_size() * PAGE_BYTES);
  // The allocator asks for whole pages, and gives none back.
  if (bytes < 0 || bytes % PAGE_BYTES != 0) abort();
  int32_t before = arena_grow((uint32_t)bytes / PAGE_BYTES);
  if (before < 0) {
    errno = ENOMEM;
    return (void*)-1;
  }
  return (void*)(before * PAGE_BYTES);
}

_Noreturn void abort(void) { __builtin_trap(); }
