import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { InputError } from "../../shared/errors.ts";
import { Random } from "../../shared/random.ts";
import { Blas, findBlas, type NoBlas } from "../../train/backend/blas/mod.ts";
import { LIBRARY_PATHS } from "../../train/backend/blas/libraries.ts";
import { heapMath } from "../../train/backend/gemm/registry.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { WITHOUT_NATIVE } from "../helpers/products.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const ignore = WITHOUT_NATIVE !== undefined;
const why = ignore ? `; not run: ${WITHOUT_NATIVE}` : "";
const compiler = await new Deno.Command("cc", { args: ["--version"], stdout: "null", stderr: "null" })
  .output()
  .then(({ success }) => success, () => false);

/** Looks for a library with the variable BLAS set. */
async function findNamed(path: string): Promise<Blas | NoBlas> {
  await useBackend("wasm", "relaxed");
  Deno.env.set("BLAS", path);
  try {
    return findBlas(1, heapMath());
  } finally {
    Deno.env.delete("BLAS");
  }
}

/** Compiles a library. */
async function compile(folder: string, name: string, source: string): Promise<string> {
  const [file, library] = [`${folder}/${name}.c`, `${folder}/lib${name}.so`];
  await Deno.writeTextFile(file, source);
  const { success, stderr } = await new Deno.Command("cc", {
    // As every real library does, it depends on the C library.
    args: ["-shared", "-fPIC", "-O1", "-o", library, file, "-Wl,--no-as-needed", "-lc"],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return library;
}

/** A correct but slow sgemm, whose result is changed by `fault`. */
const sgemm = (fault: string): string => `
  void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
    const float *b, int ldb, float beta, float *c, int ldc) {
    for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += (ta == 112 ? a[p * lda + i] : a[i * lda + p]) *
        (tb == 112 ? b[j * ldb + p] : b[p * ldb + j]);
      c[i * ldc + j] = beta == 0 ? sum : sum + beta * c[i * ldc + j];
    }
    ${fault}
  }`;
const openBlas = (config: string): string => `
  static int threads = 1;
  char *openblas_get_config(void) { return "${config}"; }
  void openblas_set_num_threads(int count) { threads = count; }
  int openblas_get_num_threads(void) { return threads; }`;

Deno.test(
  `a native BLAS is found, named with its version, and given its threads${why}`,
  { ignore },
  async () => {
    for (const threads of [1, 2]) {
      const backend = await useBackend("wasm", "native", threads);
      assertEquals([backend.gemm, backend.threads, backend.hint], ["native", threads, undefined]);
      assertMatch(backend.id, /^wasm \w+ \d+\.\d+[\w .]*, [12] threads?$/);
      assertStringIncludes(backend.reason, `multiplies matrices on ${threads} thread`);
    }
    assertEquals((await useBackend("wasm")).gemm, "native", "auto prefers it");
  },
);

Deno.test(`the same library and number of threads give the same bytes${why}`, { ignore }, async () => {
  const random = new Random(3), [m, k, n] = [256, 784, 512];
  const draw = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => random.uniform(-1, 1));
  const a = draw(m * k), b = draw(k * n);
  for (const threads of [1, 2]) {
    await useBackend("wasm", "native", threads);
    const math = heapMath();
    math.borrow(4 * (m * k + k * n + m * n), (address) => {
      const [atB, atC] = [address + 4 * m * k, address + 4 * (m * k + k * n)];
      new Float32Array(math.buffer, address, m * k).set(a);
      new Float32Array(math.buffer, atB, k * n).set(b);
      const multiply = (): Float32Array => {
        math.multiply({ a: address, b: atB, c: atC, m, n, k, transposeA: false, transposeB: false });
        return new Float32Array(math.buffer, atC, m * n).slice();
      };
      const first = multiply();
      for (let i = 0; i < 50; i++) {
        assert(multiply().every((value, j) => value === first[j]), `${threads} ${i}`);
      }
    });
  }
});

Deno.test(`a native BLAS gets no address outside of the memory${why}`, { ignore }, async () => {
  await useBackend("wasm", "native");
  const math = heapMath(), end = math.buffer.byteLength;
  const product = { a: 64, b: 64, c: end - 4 * 9, m: 3, n: 3, k: 3, transposeA: false, transposeB: false };
  const outside = { a: [end - 4 * 8, -4, 2, NaN, end + 4], b: [end - 4 * 8, -4], c: [end - 4 * 8, -4, 1] };
  math.borrow(4 * 9, (c) => math.native!.multiply(math.buffer, { ...product, c }));
  for (const [name, addresses] of Object.entries(outside)) {
    for (const address of addresses) {
      const wrong = { ...product, [name]: address };
      if (Number.isNaN(address)) continue;
      assertThrows(
        () => math.native!.multiply(math.buffer, wrong),
        RangeError,
        undefined,
        `${name} ${address}`,
      );
    }
  }
  assertThrows(() => math.native!.multiply(math.buffer, { ...product, m: 2 ** 30, k: 2 ** 30 }), RangeError);
});

Deno.test(
  "a library that computes something wrong is refused by name" + (compiler ? "" : "; not run: no cc"),
  {
    ignore: !compiler,
  },
  async () => {
    const version = openBlas("OpenBLAS 0.3.9 NO_LAPACKE Testcore MAX_THREADS=64");
    const faults: [name: string, source: string, reason: RegExp][] = [
      [
        "off",
        version + sgemm("if (m > 60 && ta == 112) c[(m - 1) * ldc + n - 1] += 0.001f;"),
        /multiply correctly: .*A tr/,
      ],
      [
        "nan",
        version + sgemm("for (int i = 0; i < m * n; i++) if (c[i] != c[i]) c[i] = 0;"),
        /gave 0 instead of NaN/,
      ],
      ["reads", version + sgemm("if (m == 3) c[0] *= 2;"), /multiply correctly: 3×7 by 7×5/],
      ["behind", version + sgemm("c[m * n] = 1;"), /write the result only/],
      [
        "random",
        version + sgemm("static int calls; if (m > 60 && calls++ == 1) c[0] *= 1.0000001f;"),
        /same bytes/,
      ],
      [
        "wide",
        openBlas("OpenBLAS 0.3.9 USE64BITINT Testcore MAX_THREADS=64") + sgemm(""),
        /use 32-bit integers/,
      ],
      ["other", sgemm(""), /be MKL, OpenBLAS, BLIS, oneDNN or Accelerate/],
      ["none", "int nothing(void) { return 1; }", /have cblas_sgemm or dnnl_sgemm/],
    ];
    await inTemporaryFolder(async (folder) => {
      for (const [name, source, reason] of faults) {
        const found = await findNamed(await compile(folder, name, source));
        assert(!(found instanceof Blas), `${name} was taken`);
        assertMatch(found.reason, new RegExp(`lib${name}\\.so" must .*${reason.source}`));
      }
      const right = await findNamed(await compile(folder, "right", version + sgemm("")));
      assert(right instanceof Blas, JSON.stringify(right));
      assertEquals([right.name, right.threads], ["OpenBLAS 0.3.9 Testcore", 1]);
    });
  },
);

Deno.test("a path in BLAS that is no library is reported", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/text.so`, "not a library");
    for (const path of [`${folder}/text.so`, `${folder}/missing.so`]) {
      const found = await findNamed(path) as NoBlas;
      assertStringIncludes(found.reason, `"${path}" must be a library:`);
      assertStringIncludes(found.hint, "BLAS must be the absolute path");
    }
  });
});

Deno.test("without the permission to load a library nothing is asked, and our kernel is used", async () => {
  const backend = new URL("../../train/backend/mod.ts", import.meta.url).href;
  const script = (gemm: string): string =>
    `import { useBackend } from "${backend}";
     const found = await useBackend("wasm", "${gemm}").catch((error) => error);
     console.log(JSON.stringify({ ...found, message: found.message }));`;
  const run = async (
    gemm: string,
    ...permissions: string[]
  ): Promise<Partial<InputError> & { gemm?: string }> => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-read", "--allow-env=BLAS", ...permissions, "--ext=ts", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", BLAS: permissions.length > 0 ? "/nowhere/libopenblas.so" : "" },
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(script(gemm)));
    await writer.close();
    const { success, stdout, stderr } = await child.output();
    assert(success, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  };
  const auto = await run("auto");
  assertEquals(auto.gemm, "relaxed");
  assertMatch(auto.hint!, /--allow-ffi=FILE/);
  const native = await run("native");
  assertEquals([native.code, native.message], [
    "unavailable",
    "Cannot multiply natively as Deno may not load a native BLAS",
  ]);
  const named = await run("native", "--allow-ffi=/usr/lib/none.so");
  assertEquals(named.message, 'Cannot multiply natively as Deno may not load "/nowhere/libopenblas.so"');
  assertStringIncludes(named.hint!, "--allow-ffi=/nowhere/libopenblas.so");
});

Deno.test("deno task train and quickstart may load the usual libraries and nothing else", () => {
  for (const name of ["train", "quickstart"] as const) {
    assertStringIncludes(config.tasks[name].command, `deno run -P=${name} `);
    const { ffi, env } = config.permissions[name];
    assertEquals(ffi, LIBRARY_PATHS);
    assert(env.includes("BLAS"));
  }
  assertLess(10, LIBRARY_PATHS.length);
});
