import { InputError } from "../../shared/errors.ts";
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { encodeEvent, TensorBoard } from "../../train/report/tensorboard.ts";
import { crc32c, tfRecord } from "../../train/report/tfrecord.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const run = {
  name: "shoes",
  dataset: "silhouettes",
  recipe: { name: "default", epochs: 2 },
  seed: 7,
  backend: "cpu",
};
const summary = { epoch: 1, trainLoss: 0.5, learningRate: 0.001, imagesPerSecond: 100 };

Deno.test("crc32c() gives the checksums of RFC 3720", () => {
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

// The bytes are those of TensorBoard 2.21's own writer and messages.
Deno.test("tfRecord() frames a message as TensorBoard's writer does", () => {
  assertEquals(
    tfRecord(encodeEvent({ wallTime: 1.5, step: 0, fileVersion: "brain.Event:2" })).toHex(),
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
  );
});

Deno.test("encodeEvent() gives the bytes of TensorBoard's messages", () => {
  assertEquals(
    encodeEvent({ wallTime: 1.5, step: 300, scalars: { loss: 0.25 } }).toHex(),
    "09000000000000f83f10ac022a0d0a0b0a046c6f7373150000803e",
  );
  assertEquals(
    encodeEvent({ wallTime: 1.5, step: 1, start: true }).toHex(),
    "09000000000000f83f10013a020801",
  );
  assertEquals(
    encodeEvent({ wallTime: 1.5, step: 1, tag: "run", text: "hi" }).toHex(),
    "09000000000000f83f10012a210a1f0a0372756e420c0807120412020801420268694a0a0a060a04746578742002",
  );
});

Deno.test("TensorBoard writes each epoch at once, and what is written reads back", async () => {
  await inTemporaryFolder(async (folder) => {
    const board = await TensorBoard.open(`${folder}/`, run);
    assertMatch(board.file, /\/shoes\/events\.out\.tfevents\.\d+\.\d+\.selvedge$/);
    board.step(10, { loss: 0.75, imagesPerSecond: 50 });
    assertEquals((await scalars(board.file)).length, 0, "steps wait for the epoch");
    await board.epoch(12, { ...summary, validation: { accuracy: 0.875, loss: 0.25 } });
    assertEquals(await scalars(board.file), [
      [10, "step/loss", 0.75],
      [10, "step/images_per_second", 50],
      [12, "epoch/number", 1],
      [12, "loss/training", 0.5],
      [12, "loss/validation", 0.25],
      [12, "accuracy/validation", 0.875],
      [12, "epoch/learning_rate", Math.fround(0.001)],
      [12, "epoch/images_per_second", 100],
    ]);
    await board.epoch(24, { ...summary, epoch: 2 });
    assertEquals((await scalars(board.file)).slice(8).map(([step, tag]) => [step, tag]), [
      [24, "epoch/number"],
      [24, "loss/training"],
      [24, "epoch/learning_rate"],
      [24, "epoch/images_per_second"],
    ]);
  });
});

Deno.test("a resumed run leaves the event files before it as they are", async () => {
  await inTemporaryFolder(async (folder) => {
    const first = await TensorBoard.open(folder, run);
    await first.epoch(12, summary);
    const before = await Deno.readFile(first.file);
    const second = await TensorBoard.open(folder, { ...run, step: 12 });
    await second.epoch(24, { ...summary, epoch: 2 });
    assertEquals(await Deno.readFile(first.file), before);
    assertEquals((await Array.fromAsync(Deno.readDir(`${folder}/shoes`))).length, 2);
  });
});

Deno.test("TensorBoard says where it cannot write", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/taken`, "");
    const error = await assertRejects(() => TensorBoard.open(`${folder}/taken`, run), InputError);
    assertStringIncludes(error.message, `Cannot write TensorBoard events to "${folder}/taken`);
    assertEquals(error.hint, "Choose another folder with --tensorboard");
  });
});

/** The Python with TensorBoard, which only this test needs. */
const PYTHON = Deno.env.get("PYTHON") ?? "python3";

const hasTensorBoard = await new Deno.Command(PYTHON, { args: ["-c", "import tensorboard"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "TensorBoard's own reader reads the event files, and a resumed run replaces what it repeats" +
    (hasTensorBoard ? "" : " (not run: there is no tensorboard for Python)"),
  ignore: !hasTensorBoard,
  fn: async () => {
    await inTemporaryFolder(async (folder) => {
      const first = await TensorBoard.open(folder, run);
      await first.epoch(12, summary);
      await first.epoch(24, { ...summary, epoch: 2, trainLoss: 9 });
      const second = await TensorBoard.open(folder, { ...run, step: 12 });
      await second.epoch(24, { ...summary, epoch: 2, trainLoss: 0.25 });
      const program = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({
    "loss": [[e.step, e.value] for e in events.Scalars("loss/training")],
    "text": [e.tensor_proto.string_val[0].decode() for e in events.Tensors("run")],
}))`;
      const output = await new Deno.Command(PYTHON, { args: ["-c", program, `${folder}/shoes`] }).output();
      const text = new TextDecoder();
      assertEquals(output.code, 0, text.decode(output.stderr));
      const { loss, text: [described] } = JSON.parse(text.decode(output.stdout));
      assertEquals(loss, [[12, 0.5], [24, 0.25]]);
      assertStringIncludes(described, "| recipe.epochs | 2 |");
    });
  },
});

Deno.test("TensorBoard files of the same millisecond have different names, in order", async () => {
  await inTemporaryFolder(async (folder) => {
    const now = Date.now;
    Date.now = () => 1_700_000_000_000;
    try {
      const files = [];
      for (let i = 0; i < 3; i++) files.push((await TensorBoard.open(folder, run)).file);
      assertEquals(new Set(files).size, 3);
      assertEquals(files, files.toSorted());
    } finally {
      Date.now = now;
    }
  });
});

/** Step, tag and value of every scalar in an event file, each record's checksums checked on the way. */
async function scalars(file: string): Promise<[number, string, number][]> {
  const bytes = await Deno.readFile(file);
  const view = new DataView(bytes.buffer);
  const found: [number, string, number][] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const record = bytes.subarray(at, at + length + 16);
    assertEquals(record, tfRecord(record.subarray(12, 12 + length)), "a whole record");
    found.push(...eventScalars(record.subarray(12, 12 + length)));
    at += length + 16;
  }
  return found;
}

function eventScalars(event: Uint8Array): [number, string, number][] {
  let step = 0;
  const values: [string, number][] = [];
  walk(event, (field, reader) => {
    if (field === 2) step = Number(reader.int64());
    else if (field === 5) {
      walk(reader.bytes(), (_field, reader) => {
        let tag = "", value: number | undefined;
        walk(reader.bytes(), (field, reader) => {
          if (field === 1) tag = reader.string();
          else if (field === 2) value = reader.float();
          else return false;
          return true;
        });
        if (value !== undefined) values.push([tag, value]);
        return true;
      });
    } else return false;
    return true;
  });
  return values.map(([tag, value]) => [step, tag, value]);
}

/** Calls `take` for every field; it answers whether it has read the field. */
function walk(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.EndGroup) throw new Error("there are no groups in these messages");
    if (!take(field, reader)) reader.skip(type, field);
  }
}
