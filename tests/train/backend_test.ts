import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { useBackend } from "../../train/backend/mod.ts";

type Adapter = GPUAdapter & { info: GPUAdapterInfo & { isFallbackAdapter?: boolean } };

const adapter = await navigator.gpu?.requestAdapter() as Adapter | null | undefined;
const WITHOUT_ADAPTER =
  "not run: there is no WebGPU adapter; Debian's mesa-vulkan-drivers brings one in software";

Deno.test("useBackend() takes a graphics card if there is one, else WASM, and says why", async () => {
  const { name, reason } = await useBackend("auto");
  if (adapter && !adapter.info.isFallbackAdapter) {
    assertEquals(name, "webgpu");
  } else {
    assertEquals(name, "wasm");
    assertStringIncludes(reason, "WebGPU adapter");
  }
  assertEquals(tf.getBackend(), name);
});

Deno.test("useBackend() takes the backend that is asked for", async () => {
  for (const name of ["cpu", "wasm"] as const) {
    assertEquals((await useBackend(name)).name, name);
    assertEquals(tf.getBackend(), name);
  }
});

Deno.test("useBackend() says that there is no WebGPU where there is none", async () => {
  // deno-lint-ignore no-console
  if (adapter) return console.log("not run: there is a WebGPU adapter");
  await assertRejects(
    () => useBackend("webgpu"),
    Error,
    "Cannot train on WebGPU as no WebGPU adapter was found",
  );
});

Deno.test("an error of the GPU stops the run instead of giving zeros", async () => {
  // deno-lint-ignore no-console
  if (!adapter) return console.log(WITHOUT_ADAPTER);
  const backend = await useBackend("webgpu");
  backend.check();
  const { device } = tf.backend() as unknown as { device: GPUDevice };
  // MAP_READ goes with nothing but COPY_DST: a validation error, which throws nowhere.
  device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
  await device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertThrows(() => backend.check(), Error, "it reported:");
  tf.removeBackend("webgpu");
});
