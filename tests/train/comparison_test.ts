import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SHIPPED_FOLDER } from "../../shared/models.ts";
import { compareRuns, comparisonCurves, comparisonRows, shortLabels } from "../../train/report/comparison.ts";
import { formatMetrics } from "../../train/artifact/metrics.ts";
import { drawPicture } from "../../train/report/picture.ts";
import { runTask } from "../helpers/command.ts";
import { exampleRun } from "../helpers/example_run.ts";
import { assertWellFormed } from "../helpers/svg.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const SHIPPED = `${SHIPPED_FOLDER}/fashion-mnist/`;

Deno.test("compareRuns() marks the settings that differ", () => {
  const a = exampleRun(), b = exampleRun();
  b.provenance.recipe["hidden"] = [8];
  b.provenance.recipe["mixup"] = 0.4;
  const comparison = compareRuns([{ label: "a", run: a }, { label: "b", run: b }]);
  assertEquals(comparison.settings.filter(({ differs }) => differs), [
    { key: "recipe.hidden", values: [[4], [8]], differs: true },
    { key: "recipe.mixup", values: [undefined, 0.4], differs: true },
  ]);
  const rows = comparisonRows(comparison);
  assertEquals(rows[0], ["", "", "a", "b"]);
  assertEquals(rows.find(([, key]) => key === "recipe.mixup"), ["≠", "recipe.mixup", "–", "0.4"]);
  assertEquals(rows.find(([, key]) => key === "test accuracy"), ["", "test accuracy", "70.00 %", "70.00 %"]);
  assertEquals(rows.find(([, key]) => key === "seed"), ["", "seed", "7", "7"]);
});

Deno.test("curves of several runs lie over each other, with a line for each", async () => {
  const runs = ["a", "b", "<c>"].map((label) => ({ label, run: exampleRun() }));
  const svg = await drawPicture(comparisonCurves(runs));
  assertWellFormed(svg);
  assertStringIncludes(svg, "&lt;c&gt;: test accuracy 70.00 %");
  assertEquals(
    svg.match(/role="graphics-symbol"|<path [^>]*stroke-width="2"/g)!.length >= 6,
    true,
    "two panels of three",
  );
});

Deno.test("shortLabels() gives each path its shortest unique end", () => {
  assertEquals(shortLabels(["runs/a", "runs/b/metrics.json"]), ["a", "b"]);
  assertEquals(shortLabels(["x/run/", "y/run"]), ["x/run", "y/run"]);
  assertEquals(shortLabels(["same", "same"]), ["same", "same"]);
});

Deno.test("deno task compare prints a table, JSON, and draws", async () => {
  await inTemporaryFolder(async (folder) => {
    const other = exampleRun();
    await Deno.writeTextFile(`${folder}/other.json`, formatMetrics(other));
    const runs = [SHIPPED, `${folder}/other.json`];
    const { code, stdout, stderr } = await runTask("compare", [...runs, "--out", `${folder}/curves.svg`]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^≠ {2}recipe\.hidden +\[512,512\] +\[4\]$/m);
    assertMatch(stdout, /^ {3}code version +(\S+) +\1$/m);
    assertWellFormed(await Deno.readTextFile(`${folder}/curves.svg`));

    const json = await runTask("compare", [...runs, "--json"]);
    assertEquals(JSON.parse(json.stdout).results[1].test_accuracy, 0.7);

    const missing = await runTask("compare", [SHIPPED, `${folder}/none`]);
    assertEquals(missing.code, 1);
    assertStringIncludes(missing.stderr, `Cannot read model "${folder}/none" as there is no such file`);
    for (const args of [[SHIPPED], [...runs, "--out", "curves.png"]]) {
      assertEquals((await runTask("compare", args)).code, 2);
    }
  });
});
