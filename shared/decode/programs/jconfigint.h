// What libjpeg-turbo's build system would find out, for its own files.

#define HIDDEN
#define INLINE inline __attribute__((always_inline))
#define FALLTHROUGH __attribute__((fallthrough));
#define SIZEOF_SIZE_T 4

// Pointers of 32 bits and fast arithmetic of 64 bits: jdhuff.h reads more bits at once then, which saves an eighth of the time.
#define __x86_64__ 1
#ifndef __ILP32__
#define __ILP32__ 1
#endif
