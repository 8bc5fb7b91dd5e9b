/**
 * TFRecord: TensorFlow's way to put messages one after the other into a file, each with its length and two checksums,
 * so that a reader can distinguish an incomplete record from a complete one
 * (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
 *
 * @module
 */

/** Wraps one message: length, checksum of the length, the message, checksum of the message. */
export function tfRecord(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(message.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(message, 12);
  view.setUint32(12 + message.length, maskedCrc32c(message), true);
  return record;
}

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), turned so that checksums of checksums stay apart. */
function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C, `0..2³²−1`. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  // The polynomial, bit-reversed.
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0x82f63b78 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});
