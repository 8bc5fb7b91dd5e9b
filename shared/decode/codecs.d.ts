/** libjpeg-turbo, with the functions of `programs/jpeg.c`. */
export const jpegWasm: WebAssembly.Module;
/** libwebp, with the functions of `programs/webp.c`. */
export const webpWasm: WebAssembly.Module;
