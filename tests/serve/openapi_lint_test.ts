import { createConfig, lintFromString } from "@redocly/openapi-core";
import spectral from "@stoplight/spectral-core";
import parsers from "@stoplight/spectral-parsers";
import rulesets from "@stoplight/spectral-rulesets";
import { assertEquals, assertNotEquals } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { prepareBackbone } from "../../train/backbone/backbone.ts";
import { parseNetwork, writeNetwork } from "../../train/backbone/network.ts";
import { photoModel } from "../helpers/photo_model.ts";
import { tinyNetwork } from "../helpers/tiny_network.ts";

/** Finds what is wrong with a document, one line each. */
type Lint = (document: string) => Promise<string[]>;

const LINTERS: Record<string, Lint> = {
  // https://redocly.com/docs/cli/rules/recommended
  Redocly: async (source) => {
    const config = await createConfig({ extends: ["recommended-strict"] });
    const problems = await lintFromString({ source, absoluteRef: "openapi.json", config });
    return problems.map(({ ruleId, message, location: [at] }) => `${ruleId} ${at?.pointer}: ${message}`);
  },
  // https://docs.stoplight.io/docs/spectral/4dec24461f3af-open-api-rules
  Spectral: async (source) => {
    const linter = new spectral.Spectral();
    // The type of the rules wants a field that they do not have.
    linter.setRuleset({ extends: [[rulesets.oas as never, "recommended"]] });
    const problems = await linter.run(new spectral.Document(source, parsers.Json, "openapi.json"));
    return problems.map(({ code, message, path }) => `${code} ${path.join("/")}: ${message}`);
  },
};

async function photographs(): Promise<Uint8Array<ArrayBuffer>> {
  const network = parseNetwork(writeNetwork(tinyNetwork({ end: "features" })), "tiny");
  const backbone = await prepareBackbone(network, { name: "tiny", fileSha256: "0".repeat(64) }, {
    normalization: { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
    store: "float32",
  });
  return photoModel(backbone, "crop");
}

const MODELS = { "the shipped model": shippedModel, "a model of photographs": await photographs() };

for (const [linter, lint] of Object.entries(LINTERS)) {
  for (const [name, model] of Object.entries(MODELS)) {
    Deno.test(`${linter} finds nothing in GET /openapi.json of ${name}`, async () => {
      const app = createApp({
        load: () => Classifier.load(model),
        report: (error) => {
          throw error;
        },
      });
      const document = await (await app.request("/openapi.json")).text();
      assertEquals(await lint(document), []);
      assertNotEquals(await lint(document.replaceAll('"operationId"', '"x-operation"')), []);
    });
  }
}
