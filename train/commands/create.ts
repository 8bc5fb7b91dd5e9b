/** `deno task create`: writes a new project that uses this library. */
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../shared/errors.ts";
import { shellQuote } from "../cli/command_line.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { type Command, text } from "../cli/options.ts";
import { createProject } from "../create/project.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

const command = {
  name: "deno task create",
  summary: "Create a project that trains and serves a classifier with this library.",
  operands: "DIR",
  options: {
    name: text("NAME", "Name of the model and of the worker (default: that of DIR)"),
    library: text(
      "PATH|jsr",
      "Folder of the library, or jsr for its packages on JSR, which are not published yet",
      "this checkout",
    ),
  },
  notes:
    "DIR is created; if it exists, it must be empty. The project has a training script, a worker, a test and\n" +
    "wrangler.toml, and depends on the library: it contains no copy.",
} satisfies Command;

await runCommand(command, async ({ name, library = CHECKOUT }, operands) => {
  const [folder, extra] = operands;
  if (folder === undefined || extra !== undefined) {
    throw new InputError(
      "usage",
      `Cannot create a project as there must be one DIR: ${operands.length} given`,
      {
        hint: `Try "${command.name} --help"`,
      },
    );
  }
  const files = await createProject(folder, {
    name: name ?? basename(resolve(folder)).toLowerCase(),
    ...(library !== "jsr" && { library }),
  });
  for (const file of files) print(file);
  if (library === "jsr") note("The packages are not published on JSR yet: the project runs once they are");
  note(`
Next:
  cd ${shellQuote(folder)}
  deno task train     (garments drawn by code, to try things out; DIR for your own pictures)
  deno task serve     (then open the page at http://127.0.0.1:8000/)`);
});
