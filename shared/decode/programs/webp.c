// libwebp's decoder in pieces, each of some rows of the picture, so that the host can let other events in between them.
//
// libwebp can decode incrementally too, by appending bytes, but bytes say little about time: a tiny file can hold a large
// picture, and the order of a lossy file's partitions can leave all rows to its last bytes. So these are the loops of
// WebPDecode(), with an end after so many rows. One picture is decoded at a time.

#include "src/dec/vp8i_dec.h"
#include "src/utils/huffman_utils.h"

#define EXPORT(name) __attribute__((export_name(name)))

// A lossless picture or transparency can begin with 327,680 tables of codes, which libwebp reads in one piece. With these
// units of about a nanosecond, pictures of 2 megapixels had up to 600,000.
#define MAX_TABLE_WORK (1 << 24)

static int table_work;

static int build_table(HuffmanTables* tables, int bits, const int lengths[], int size) {
  int used = 0;
  for (int i = 0; i < size; ++i) used += lengths[i] != 0;
  table_work += size + 16 * used;
  return table_work > MAX_TABLE_WORK ? 0 : VP8LBuildHuffmanTable(tables, bits, lengths, size);
}

// For its functions that are static, and with limited tables.
#define VP8LBuildHuffmanTable build_table
#include "src/dec/vp8l_dec.c"

// The filter and the upsampler give rows later than they are decoded: 9 at most, and they give these with the last ones.
#define LATE_ROWS 16

static struct {
  VP8Io io;
  WebPDecParams params;
  // Of a lossy picture.
  VP8IoPutHook put;
  // Has room for the rows of one piece.
  WebPDecBuffer output;
  // Rows to decode in a piece.
  int rows;
  // Of a lossy picture: the first row that the piece gives, and that with which the buffer begins.
  int start, first;
  // One of the two.
  VP8Decoder* lossy;
  VP8LDecoder* lossless;
} picture;

static VP8StatusCode allocate_output(void) {
  return WebPAllocateDecBuffer(picture.io.width, picture.rows + LATE_ROWS, NULL, &picture.output);
}

// Puts rows where they belong in the buffer. Only the picture's first row, which has none above it, is put at its beginning.
static int put_rows(const VP8Io* io) {
  VP8Io moved = *io;
  moved.mb_y -= picture.first;
  moved.crop_bottom -= picture.first;
  return picture.put(&moved);
}

static VP8StatusCode start_lossy(const WebPHeaderStructure* headers) {
  VP8Decoder* const dec = picture.lossy = VP8New();
  if (dec == NULL) return VP8_STATUS_OUT_OF_MEMORY;
  dec->alpha_data = headers->alpha_data;
  dec->alpha_data_size = headers->alpha_data_size;
  if (!VP8GetHeaders(dec, &picture.io)) return dec->status;
  const VP8StatusCode status = allocate_output();
  if (status != VP8_STATUS_OK) return status;
  if (VP8EnterCritical(dec, &picture.io) != VP8_STATUS_OK || !VP8InitFrame(dec, &picture.io)) return dec->status;
  return VP8_STATUS_SUSPENDED;
}

// As ParseFrame() of vp8_dec.c.
static VP8StatusCode decode_lossy(void) {
  VP8Decoder* const dec = picture.lossy;
  for (const int end = dec->mb_y + picture.rows / 16; dec->mb_y < dec->br_mb_y; ++dec->mb_y) {
    if (dec->mb_y == end) return VP8_STATUS_SUSPENDED;
    VP8BitReader* const tokens = &dec->parts[dec->mb_y & dec->num_parts_minus_one];
    if (!VP8ParseIntraModeRow(&dec->br, dec)) return VP8_STATUS_NOT_ENOUGH_DATA;
    for (; dec->mb_x < dec->mb_w; ++dec->mb_x) {
      if (!VP8DecodeMB(dec, tokens)) return VP8_STATUS_NOT_ENOUGH_DATA;
    }
    VP8InitScanline(dec);
    if (!VP8ProcessRow(dec, &picture.io)) return VP8_STATUS_BITSTREAM_ERROR;
  }
  return VP8_STATUS_OK;
}

// As VP8LDecodeImage() begins.
static VP8StatusCode start_lossless(void) {
  VP8LDecoder* const dec = picture.lossless = VP8LNew();
  if (dec == NULL) return VP8_STATUS_OUT_OF_MEMORY;
  if (!VP8LDecodeHeader(dec, &picture.io)) return dec->status;
  const VP8StatusCode status = allocate_output();
  if (status != VP8_STATUS_OK) return status;
  dec->output = &picture.output;
  if (!WebPIoInitFromOptions(NULL, &picture.io, MODE_BGRA)) return VP8_STATUS_INVALID_PARAM;
  if (!AllocateInternalBuffers32b(dec, picture.io.width)) return dec->status;
  return VP8_STATUS_SUSPENDED;
}

// A piece may begin within the 16 rows that ProcessRows() has room for, and end after a long backward reference.
static void process_rows(VP8LDecoder* dec, int row) {
  while (dec->last_row < row) {
    const int next = dec->last_row + NUM_ARGB_CACHE_ROWS;
    ProcessRows(dec, next < row ? next : row);
  }
}

static VP8StatusCode decode_lossless(void) {
  VP8LDecoder* const dec = picture.lossless;
  const int rows = picture.rows;
  const int end = rows < dec->height - dec->last_row ? dec->last_row + rows : dec->height;
  if (!DecodeImageData(dec, dec->pixels, dec->width, dec->height, end, process_rows)) return dec->status;
  return end < dec->height ? VP8_STATUS_SUSPENDED : VP8_STATUS_OK;
}

// Reads the headers of a file, which must stay where it is until finish(). decode() then decodes about so many rows at a
// time. Returns VP8_STATUS_SUSPENDED, or an error.
EXPORT("start") int start(const uint8_t* file, size_t length, int rows) {
  table_work = 0;
  WebPHeaderStructure headers = {.data = file, .data_size = length, .have_all_data = 1};
  const VP8StatusCode status = WebPParseHeaders(&headers);
  if (status != VP8_STATUS_OK) return status;
  if (!VP8InitIo(&picture.io) || !WebPInitDecBuffer(&picture.output)) return VP8_STATUS_INVALID_PARAM;
  picture.output.colorspace = MODE_RGBA;
  // Whole macroblocks.
  picture.rows = (rows + 15) & ~15;
  WebPResetDecParams(&picture.params);
  picture.params.output = &picture.output;
  picture.io.data = file + headers.offset;
  picture.io.data_size = length - headers.offset;
  WebPInitCustomIo(&picture.params, &picture.io);
  picture.put = picture.io.put;
  picture.io.put = put_rows;
  return headers.is_lossless ? start_lossless() : start_lossy(&headers);
}

// Decodes a piece. Returns VP8_STATUS_SUSPENDED, VP8_STATUS_OK at the end, or an error.
EXPORT("decode") int decode(void) {
  if (picture.lossy != NULL) {
    picture.start = picture.params.last_y;
    // Even, as two rows share their colours.
    picture.first = picture.start & ~1;
    return decode_lossy();
  }
  picture.lossless->last_out_row = 0;
  return decode_lossless();
}

// The rows that the last piece has given, [rows, width, 4]: red, green, blue and alpha.
EXPORT("pixels") uint8_t* pixels(void) {
  const int late = picture.lossy != NULL ? picture.start - picture.first : 0;
  return picture.output.u.RGBA.rgba + late * picture.output.u.RGBA.stride;
}

EXPORT("rows") int rows(void) {
  return picture.lossy != NULL ? picture.params.last_y - picture.start : picture.lossless->last_out_row;
}

EXPORT("width") int width(void) { return picture.io.width; }

EXPORT("height") int height(void) { return picture.io.height; }

// Frees the picture, whatever its state.
EXPORT("finish") void finish(void) {
  if (picture.lossy != NULL && picture.params.memory != NULL) picture.io.teardown(&picture.io);
  VP8Delete(picture.lossy);
  VP8LDelete(picture.lossless);
  WebPFreeDecBuffer(&picture.output);
  picture.lossy = NULL;
  picture.lossless = NULL;
}
