import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { InputError } from "../../shared/errors.ts";
import { lockFolder } from "../../train/files/folder_lock.ts";
import { runTask, startTask } from "../helpers/command.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const ROOT = new URL("../../", import.meta.url);

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Starts a process that locks a folder and then waits. */
async function lockElsewhere(folder: string): Promise<Deno.ChildProcess> {
  const program = `import { lockFolder } from "./train/files/folder_lock.ts";
    using _lock = await lockFolder(${JSON.stringify(folder)});
    console.log("locked");
    await new Promise((resolve) => setTimeout(resolve, 1e9));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", "--ext=ts", "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(program));
  await input.close();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "locked\n");
  await reader.cancel();
  return child;
}

Deno.test("lockFolder() refuses a folder that another process has locked, until that process is killed", async () => {
  await inTemporaryFolder(async (folder) => {
    const owner = await lockElsewhere(folder);
    const error = await assertRejects(() => lockFolder(folder), InputError);
    assertEquals(error.code, "conflict");
    assertStringIncludes(error.message, `as another run, process ${owner.pid}, is active there`);
    owner.kill("SIGKILL");
    await owner.status;
    assert(await exists(`${folder}/.lock`), "the killed process left its file");
    await Deno.writeTextFile(`${folder}/.lock`, "a longer process id than ours");
    {
      using _lock = await lockFolder(folder);
      assertEquals(await Deno.readTextFile(`${folder}/.lock`), String(Deno.pid));
    }
    assertFalse(await exists(`${folder}/.lock`));
  });
});

Deno.test("lockFolder() lets one of many in at a time, and leaves no empty folder", async () => {
  await inTemporaryFolder(async (parent) => {
    const folder = `${parent}/new/model`;
    let inside = 0, entered = 0;
    const enter = async (): Promise<void> => {
      try {
        using _lock = await lockFolder(folder);
        assertEquals(++inside, 1);
        entered++;
        await Deno.stat(folder);
        inside--;
      } catch (error) {
        assertMatch(String(error), /another run/);
      }
    };
    await Promise.all(Array.from({ length: 50 }, enter));
    assert(entered > 0);
    assertFalse(await exists(folder));
    await Deno.mkdir(folder);
    await enter();
    assert(await exists(folder), "a folder that was there before stays");
  });
});

Deno.test("deno task train refuses a folder in which another run is active", async () => {
  await inTemporaryFolder(async (out) => {
    const args = ["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "16", "--out", out];
    // Too many epochs to finish.
    const first = startTask("train", [...args, "--epochs", "10000"]);
    try {
      let output = "";
      for await (const text of first.stderr.pipeThrough(new TextDecoderStream())) {
        if (/epoch +1\/10000/.test(output += text)) break;
      }
      const second = await runTask("train", [...args, "--epochs", "1", "--restart"]);
      assertEquals(second.code, 1);
      assertMatch(
        second.stderr,
        /Cannot start a run in ".*silhouettes" as another run, process \d+, is active/,
      );
    } finally {
      first.kill("SIGINT");
      await first.stdout.cancel();
      await first.status;
    }
    const third = await runTask("train", [...args, "--epochs", "1", "--restart"]);
    assertEquals(third.code, 0, third.stderr);
    assertFalse(await exists(`${out}/silhouettes/.lock`));
  });
});

Deno.test("deno task train reports a folder that it cannot write to before the first epoch", async () => {
  await inTemporaryFolder(async (out) => {
    // Also for root, whom permissions do not stop: it looks absent, but cannot be created.
    await Deno.symlink(`${out}/absent/folder`, `${out}/silhouettes`);
    const { code, stderr } = await runTask("train", [
      ...["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "16", "--epochs", "1", "--out", out],
    ]);
    assertEquals(code, 69);
    assertStringIncludes(stderr, `Cannot write to "${out}/silhouettes"`);
    assertStringIncludes(stderr, "Choose another folder with --out");
    assertFalse(/epoch/.test(stderr), stderr);
  });
});
