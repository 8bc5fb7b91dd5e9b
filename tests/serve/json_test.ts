import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { readTask, type Task } from "../../serve/decode/task.ts";
import { InputError } from "../../shared/errors.ts";

function task(form: Task["form"], json: string): Task {
  return {
    form,
    body: new TextEncoder().encode(json),
    contentType: "application/json",
    model: {
      input: { channels: 1, height: 2, width: 1 },
      imageSize: 2,
      classes: 10,
      outputs: ["logits"],
    },
    limits: { ...readConfig({}), maxBatchSize: 3 },
  };
}

const infer = (data: string): Task =>
  task("infer", `{"inputs":[{"name":"image","shape":[2,2],"datatype":"UINT8","data":[${data}]}]}`);
const stay = async (): Promise<void> => {};

Deno.test("JSON with more elements than a request may have is refused before it is parsed", async () => {
  const many = `${"1,".repeat(70_000)}1`;
  for (
    const wrong of [
      task("classify", `{"pixels":[${many}]}`),
      task("classify", `{"images":[${`"",`.repeat(70_000)}""]}`),
      infer(many),
      task("huggingFace", `{"inputs":[${many}]}`),
    ]
  ) {
    const error = await assertRejects(() => readTask(wrong, stay), InputError, "must have at most 655");
    assertEquals(error.code, "too-large");
  }
});

Deno.test("JSON lets other events in between parsing it and reading its images", async () => {
  for (const right of [task("classify", `{"images":[[0,255],[255,0]]}`), infer("0,255,255,0")]) {
    let turns = 0;
    const { pixels } = await readTask(right, () => Promise.resolve(void turns++)) as { pixels: Float32Array };
    assertEquals([...pixels], [0, 1, 1, 0]);
    assertGreater(turns, 0);
  }
});
