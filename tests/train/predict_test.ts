import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import {
  csvWriter,
  jsonWriter,
  type Prediction,
  tableWriter,
  type WriterOptions,
} from "../../train/cli/predictions.ts";
import { displayWidth, fitTable, truncate, truncatePath } from "../../train/cli/table.ts";
import { type Finished, runTask } from "../helpers/command.ts";
import { inFolder, square } from "../helpers/picture_folder.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const ESCAPE = "\x1b";
const SCRIPT = "/usr/bin/script";
const HAS_SCRIPT = await Deno.stat(SCRIPT).then(() => true, () => false);

/** Runs `predict` with the tiny model. */
async function predict(folder: string, ...args: string[]): Promise<Finished> {
  await Deno.writeFile(join(folder, ".model.onnx"), tinyModel());
  return await runTask("predict", ["--model", join(folder, ".model.onnx"), folder, ...args]);
}

/**
 * Four pictures: two in folders that are called as the label that they get, one in the folder of another label, and one
 * in no class folder.
 */
async function inWardrobe(
  run: (folder: string, pictures: { path: string; label: string; expected?: string }[]) => Promise<void>,
): Promise<void> {
  const pictures = [1, 2, 3, 4].map((seed) => square(seed));
  let labels: string[] = [];
  await inFolder(Object.fromEntries(pictures.map((png, i) => [`${i}.png`, png])), async (folder) => {
    const { stdout } = await predict(folder, "--json");
    labels = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).top[0].label);
  });
  const [a, b, c, d] = labels as [string, string, string, string];
  const other = ["left", "middle"].find((label) => label !== c)!;
  const placed = [
    { path: "new/d.png", label: d },
    { path: `test/${a}/a.png`, label: a, expected: a },
    { path: `test/${b}/more/b.PNG`, label: b, expected: b },
    { path: `test/${other}/c.png`, label: c, expected: other },
  ];
  const files = Object.fromEntries(placed.map(({ path }, i) => [path, pictures[[3, 0, 1, 2][i]!]!]));
  await inFolder({ ...files, "notes.txt": "", ".hidden/e.png": pictures[0]! }, async (folder) => {
    await run(folder, placed.toSorted((x, y) => x.path < y.path ? -1 : 1));
  });
}

Deno.test("predict DIR classifies a folder with its sub-folders and prints the accuracy of class folders", async () => {
  await inWardrobe(async (folder, pictures) => {
    // A link to the folder itself must not lead in circles.
    await Deno.symlink(folder, join(folder, "new", "loop"));
    const { code, stdout, stderr } = await predict(folder);
    assertEquals(code, 0, stderr);
    const [head, ...rows] = stdout.split("\n");
    assertMatch(head!, /^file +label +score +note +next$/);
    for (const [i, { path, label, expected }] of pictures.entries()) {
      const [file, found, , , note] = rows[i]!.split(/ {2,}| (?=%)/);
      assertEquals([file, found], [join(folder, path), label], rows[i]);
      assertEquals(note === "wrong", expected !== undefined && expected !== label, rows[i]);
    }
    assertMatch(stdout, /\nfolder +images +correct +accuracy\n[^]*\nall +3 +2 +66\.7 %\n$/);
    assert(!stdout.includes(ESCAPE));
  });
});

Deno.test("predict --json and --csv print the same results, one line per file", async () => {
  await inWardrobe(async (folder, pictures) => {
    const json = (await predict(folder, "--json", "--top-k", "2")).stdout.trimEnd().split("\n");
    const csv = (await predict(folder, "--csv", "--top-k", "2")).stdout.trimEnd().split("\n");
    assertEquals(csv.shift(), "file,expected,label_1,score_1,label_2,score_2,familiarity,unfamiliar");
    assertEquals([json.length, csv.length], [4, 4]);
    for (const [i, line] of json.entries()) {
      const { file, expected, top, model } = JSON.parse(line);
      assertEquals(Object.keys(top[0]).slice(0, 3), ["label", "class_index", "score"]);
      assertEquals([file, expected], [join(folder, pictures[i]!.path), pictures[i]!.expected]);
      assertMatch(model.version, /^\w{12}$/);
      const cells = csv[i]!.split(",");
      assertEquals(cells.slice(0, 3), [file, expected ?? "", top[0].label]);
      assertEquals(Number(cells[3]), Number(top[0].score.toFixed(6)));
    }
    const both = await predict(folder, "--json", "--csv");
    assertEquals(both.code, 2);
    assertStringIncludes(both.stderr, "--json must be given without --csv");
  });
});

Deno.test("predict refuses a folder without pictures", async () => {
  await inFolder({ "notes.txt": "", ".hidden/a.png": square(1) }, async (folder) => {
    const { code, stderr } = await runTask("predict", [folder]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `Cannot classify the folder "${folder}" as it has no PNG`);
  });
});

Deno.test("predict marks pictures that do not resemble the training images", async () => {
  await inTemporaryFolder(async (folder) => {
    const model = join(folder, "model.onnx");
    await Deno.writeFile(model, tinyModel({ familiarity: true }));
    await Deno.writeFile(join(folder, "a.png"), square(1));
    await Deno.writeFile(join(folder, "b.png"), square(2));
    const lines = (await runTask("predict", ["--model", model, "--json", folder])).stdout.trimEnd().split(
      "\n",
    );
    const unfamiliar: boolean[] = lines.map((line) => JSON.parse(line).unfamiliar);
    const table = (await runTask("predict", ["--model", model, folder])).stdout.split("\n");
    assertMatch(table[0]!, /score +note/);
    for (const [i, expected] of unfamiliar.entries()) {
      assertEquals(/ % +unfamiliar/.test(table[i + 1]!), expected, table[i + 1]);
    }
    const count = unfamiliar.filter(Boolean).length;
    assert(count > 0);
    assertStringIncludes(table.join("\n"), `${count} of 2 pictures do not resemble the training images`);
  });
});

const LABELS = ["a", 'a label, with "quotes"', "日本語"];

function example(file: string, best: number, familiarity?: number, expected?: string): Prediction {
  const top = [0, 1, 2].map((i) => ({
    label: LABELS[(best + i) % 3]!,
    classIndex: (best + i) % 3,
    score: [0.7, 0.2, 0.1][i]!,
  }));
  return {
    ...{ file, top },
    ...(expected !== undefined && { expected }),
    ...(familiarity !== undefined && { familiarity: { familiarity, unfamiliar: familiarity < 0.05 } }),
  };
}

const EXAMPLES = [
  example("pictures/of/a/rather/long/path/to/one/picture.png", 0, 0.5, "a"),
  example('b,"c".png', 1, 0.01, "a"),
  example("c.png", 2, 0.04),
];

function options(width: number | undefined): WriterOptions {
  return {
    model: { name: "m", version: "v" },
    labels: LABELS,
    pictures: EXAMPLES,
    topK: 3,
    hasFamiliarity: true,
    width,
  };
}

Deno.test("predict: the table fits a terminal of any usual width", () => {
  for (let width = 60; width <= 200; width += 7) {
    const writer = tableWriter(options(width));
    const lines = [...writer.head(), ...EXAMPLES.map((example) => writer.line(example))];
    for (const line of lines) assert(displayWidth(line) <= width, `${width}: ${line}`);
    assertStringIncludes(lines[1]!, "picture.png  a ");
    assertMatch(lines[2]!, /wrong, unfamiliar/);
    assertMatch(lines[3]!, / % {2}unfamiliar/);
  }
  assertStringIncludes(tableWriter(options(undefined)).line(EXAMPLES[0]!), EXAMPLES[0]!.file);
});

Deno.test("predict: CSV quotes what RFC 4180 requires, and JSON has snake_case keys", () => {
  const [, quoted] = EXAMPLES as [Prediction, Prediction];
  assertEquals(
    csvWriter(options(undefined)).line(quoted),
    '"b,""c"".png",a,"a label, with ""quotes""",0.700000,日本語,0.200000,a,0.100000,0.010000,true',
  );
  assertEquals(JSON.parse(jsonWriter(options(undefined)).line(quoted)), {
    file: quoted.file,
    model: { name: "m", version: "v" },
    expected: "a",
    top: quoted.top.map(({ label, classIndex, score }) => ({ label, class_index: classIndex, score })),
    familiarity: 0.01,
    unfamiliar: true,
  });
});

Deno.test("fitTable() shortens the names and nothing else", () => {
  const rows = [["class", "images"], ["a very long name of a class", "1000"], ["b", "2"]];
  assertEquals(fitTable(rows, 20), "class         images\na very long…    1000\nb                  2");
  assertEquals(fitTable(rows, undefined).split("\n")[1], "a very long name of a class    1000");
});

Deno.test("tables count East Asian characters and emoji as two columns, and combining marks as none", () => {
  assertEquals(["shirt", "シャツ", "셔츠", "👕", "e\u0301te\u0301", "größe"].map(displayWidth), [
    5,
    6,
    4,
    2,
    3,
    5,
  ]);
  assertEquals([truncate("シャツと靴", 7), truncatePath("写真/シャツ.png", 10)], ["シャツ…", "…ャツ.png"]);
  const rows = [["class", "images"], ["シャツ", "1"], ["hat", "2"]];
  assertEquals(fitTable(rows, undefined), "class   images\nシャツ       1\nhat          2");
});

Deno.test("predict: control characters of file names do not reach the terminal", () => {
  const line = tableWriter(options(undefined)).line({ ...EXAMPLES[2]!, file: `${ESCAPE}[2Jx\r\n.png` });
  assertStringIncludes(line, "\ufffd[2Jx\ufffd\ufffd.png");
});

/** Runs a task in a pseudo-terminal of 50 columns. */
async function runInTerminal(task: string, args: string[], env: Record<string, string>): Promise<string> {
  const quoted = [Deno.execPath(), "task", "--quiet", task, ...args].map((arg) => `'${arg}'`).join(" ");
  const { stdout } = await new Deno.Command(SCRIPT, {
    args: ["-qec", `stty cols 50; ${quoted}`, "/dev/null"],
    cwd: new URL("../../", import.meta.url),
    env,
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r", "");
}

const inTerminal = "on a terminal, predict and evaluate fit its width, and NO_COLOR removes the colour";
Deno.test({
  name: HAS_SCRIPT ? inTerminal : `${inTerminal} (not run: there is no ${SCRIPT})`,
  ignore: !HAS_SCRIPT,
  fn: async () => {
    await inWardrobe(async (folder) => {
      await predict(folder);
      const args = ["--model", join(folder, ".model.onnx"), folder];
      const colored = await runInTerminal("predict", args, { NO_COLOR: "" });
      const plain = await runInTerminal("predict", args, { NO_COLOR: "1" });
      assertStringIncludes(colored, `${ESCAPE}[31m  wrong`);
      // Progress bars aside, which are erased.
      const rows = (output: string): string[] => output.split("\n").filter((line) => line.includes(".png "));
      assertEquals(rows(plain).length, 3);
      for (const row of rows(plain)) {
        assert(!row.includes(`${ESCAPE}[3`), row);
        assert(row.length <= 50, row);
      }
      const evaluated = await runInTerminal("evaluate", ["--dataset", "silhouettes"], { NO_COLOR: "1" });
      const table = evaluated.slice(evaluated.indexOf("class  ")).split("\n");
      assertEquals(table.filter((line) => line.length > 50), []);
      assertMatch(evaluated, /^actual → predicted +images$/m);
    });
  },
});
