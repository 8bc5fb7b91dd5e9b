/**
 * Reads and writes ONNX files as plain objects.
 *
 * @module
 */
export { readOnnx } from "./read.ts";
export { type EncodedTensor, encodeTensor, type WritableModel, writeOnnx } from "./write.ts";
export {
  ATTRIBUTE_TYPE,
  DATA_TYPE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./schema.ts";
export { InputError, type InputErrorCode, type InputErrorOptions } from "../errors.ts";
