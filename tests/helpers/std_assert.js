// @ts-self-types="./std_assert.d.ts"
// std's assertions from npm, for machines that cannot reach JSR. With JSR, "@std/assert" in deno.json
// becomes "jsr:@std/assert@1" and this file and its .d.ts can go.
export * from "npm:deno-std@1.4.0/assert/mod.js";
