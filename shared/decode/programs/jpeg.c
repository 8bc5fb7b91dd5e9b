// libjpeg-turbo's decompressor in pieces of at most a few milliseconds, so that the host can let other events in between
// them. The host feeds the file in chunks and takes the picture in strips of rows, so neither is here as a whole; only the
// coefficients are if the picture comes in several scans. One picture is decoded at a time.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "jpeglib.h"

#include "jerror.h"

#define EXPORT(name) __attribute__((export_name(name)))

enum { NEEDS_INPUT, GOES_ON, HAS_ROWS, CORRUPT };

// A chunk of 64 kB, after what is left of a marker segment or of a unit of blocks, which have less than 64 kB each.
#define INPUT_BYTES (2 * 65536 + 4096)
// More than the longest row: 65,500 pixels of three bytes.
#define STRIP_BYTES (4 * 65536)
// Pixels of the stored picture for one piece, unless a row of blocks has more.
#define PIECE_PIXELS (8 * 65536)

static struct jpeg_decompress_struct jpeg;
static struct jpeg_error_mgr errors;
static struct jpeg_source_mgr source;

static uint8_t input[INPUT_BYTES];
// Bytes of a segment that are to be skipped when they arrive.
static size_t skipped;
static boolean is_corrupt;

static uint8_t strip[STRIP_BYTES];
static size_t strip_rows, filled_rows;
static unsigned scale;

// What a piece does.
static int (*piece)(void);

// The host starts a new instance after a trap.
static void fail(j_common_ptr info) { __builtin_trap(); }

// Cameras leave some stray bytes between segments; these warnings mean missing pixels, for which the library fills in grey.
static void warn(j_common_ptr info, int level) {
  const int code = errors.msg_code;
  if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC)) is_corrupt = TRUE;
}

static void keep(j_common_ptr info) {}

static void ignore(j_decompress_ptr info) {}

// At the end of a chunk the library goes back to a place from which it can go on later.
static boolean suspend(j_decompress_ptr info) { return FALSE; }

static void drop(size_t count) {
  const size_t here = count < source.bytes_in_buffer ? count : source.bytes_in_buffer;
  source.next_input_byte += here;
  source.bytes_in_buffer -= here;
  skipped = count - here;
}

static void skip(j_decompress_ptr info, long count) { drop((size_t)count); }

static size_t row_bytes(void) { return (size_t)jpeg.output_width * jpeg.output_components; }

static int read_rows(void) {
  // The host has taken them.
  if (filled_rows == strip_rows) filled_rows = 0;
  while (filled_rows < strip_rows && jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = strip + filled_rows * row_bytes();
    if (jpeg_read_scanlines(&jpeg, &row, 1) == 0) return NEEDS_INPUT;
    ++filled_rows;
  }
  return HAS_ROWS;
}

static int read_coefficients(void) {
  const size_t row_pixels = (size_t)jpeg.image_width * jpeg.max_v_samp_factor * DCTSIZE;
  for (size_t pixels = 0; pixels < PIECE_PIXELS; pixels += row_pixels) {
    const int status = jpeg_consume_input(&jpeg);
    if (status == JPEG_SUSPENDED) return NEEDS_INPUT;
    if (status == JPEG_REACHED_EOI) {
      jpeg_start_output(&jpeg, jpeg.input_scan_number);
      piece = read_rows;
      break;
    }
  }
  return GOES_ON;
}

static int read_header(void) {
  if (jpeg_read_header(&jpeg, TRUE) == JPEG_SUSPENDED) return NEEDS_INPUT;
  jpeg.scale_denom = scale;
  jpeg.buffered_image = jpeg_has_multiple_scans(&jpeg);
  jpeg_start_decompress(&jpeg);
  const size_t stored = PIECE_PIXELS / ((size_t)jpeg.image_width * scale), room = STRIP_BYTES / row_bytes();
  strip_rows = stored < room ? stored : room;
  if (strip_rows == 0) strip_rows = 1;
  piece = jpeg.buffered_image ? read_coefficients : read_rows;
  return GOES_ON;
}

// Starts a picture, which will be decoded at 1/scale of its size: 1, 2, 4 or 8.
EXPORT("start") void start(unsigned denominator) {
  jpeg_destroy_decompress(&jpeg);
  errors = (struct jpeg_error_mgr){.error_exit = fail, .emit_message = warn, .reset_error_mgr = keep};
  jpeg.err = &errors;
  jpeg_create_decompress(&jpeg);
  source = (struct jpeg_source_mgr){
      .next_input_byte = input,
      .init_source = ignore,
      .fill_input_buffer = suspend,
      .skip_input_data = skip,
      .resync_to_restart = jpeg_resync_to_restart,
      .term_source = ignore,
  };
  jpeg.src = &source;
  skipped = filled_rows = 0;
  is_corrupt = FALSE;
  scale = denominator;
  piece = read_header;
}

// Makes room for the next bytes of the file, up to 64 kB. Returns where they go; they must be there before the next piece.
EXPORT("feed") uint8_t* feed(size_t length) {
  const size_t left = source.bytes_in_buffer;
  if (length > INPUT_BYTES - left) __builtin_trap();
  memmove(input, source.next_input_byte, left);
  source.next_input_byte = input;
  source.bytes_in_buffer = left + length;
  drop(skipped);
  return input + left;
}

// Does a piece of the work. Returns what the host is to do.
EXPORT("decode") int decode(void) {
  const int status = piece();
  return is_corrupt ? CORRUPT : status;
}

// Rows of red, green and blue, or of grey.
EXPORT("rows") uint8_t* rows(void) { return strip; }

EXPORT("rows_length") size_t rows_length(void) { return filled_rows * row_bytes(); }
