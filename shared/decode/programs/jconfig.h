// What libjpeg-turbo's build system would find out, for jpeglib.h.

#define JPEG_LIB_VERSION 62
// The files that are compiled for more bits say so.
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
