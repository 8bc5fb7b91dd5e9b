import { assert, assertEquals } from "@std/assert";
import { PROGRAMS } from "../../shared/decode/programs/build.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const FOLDER = new URL("../../shared/decode/programs/", import.meta.url);
const sources = Deno.env.get("DECODER_SOURCES");

for (const name of Object.keys(PROGRAMS)) {
  Deno.test(`${name} imports the arena and nothing else`, async () => {
    const module = new WebAssembly.Module(await Deno.readFile(new URL(name, FOLDER)));
    const imports = WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`);
    assertEquals(imports.sort(), ["arena.grow", "arena.memory", "arena.size"]);
  });
}

Deno.test({
  name: "deno task build:decoders gives the programs that are kept in git" +
    (sources ? "" : " (not run: DECODER_SOURCES names no folder with the releases)"),
  ignore: !sources,
  fn: () =>
    inTemporaryFolder(async (folder) => {
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--no-config", "--lock=build.lock", "--frozen", "-A", "build.ts"],
          ...["--sources", sources!, "--out", folder],
        ],
        cwd: FOLDER,
        stdout: "null",
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      for (const name of Object.keys(PROGRAMS)) {
        const [kept, built] = await Promise.all(
          [new URL(name, FOLDER), `${folder}/${name}`].map((path) => Deno.readFile(path)),
        );
        assert(kept!.toHex() === built!.toHex(), `${name} differs: run deno task build:decoders`);
      }
    }),
});
