import { assertEquals } from "@std/assert";
import { useBackend } from "../../train/backend/mod.ts";
import { explainLinear, studyLinear } from "../../train/commands/linear_study.ts";
import { Mlp } from "../../train/learning/mlp.ts";
import { TorchRandom } from "../../train/learning/torch_random.ts";

Deno.test("TorchRandom generates the reference sequence of mt19937", () => {
  // The low 24 bits of mt19937's first outputs for seed 5489: 3499211612, 581869302, 3890346734.
  const random = new TorchRandom(5489);
  const low24 = [3499211612, 581869302, 3890346734].map((n) => n % 2 ** 24);
  assertEquals(low24.map(() => random.uniform(0, 1) * 2 ** 24), low24);
});

Deno.test("Mlp has the initial weights of torch.manual_seed(), bit for bit", async () => {
  await useBackend("cpu");
  // PyTorch 2.13: torch.manual_seed(0); l = nn.Linear(2, 3); l.weight.flatten().tolist(), l.bias.tolist()
  const model = new Mlp([2, 3], 0);
  const [layer] = await model.weights();
  // deno-fmt-ignore
  assertEquals([...layer!.weight], [
    -0.005293981172144413, 0.37932288646698, -0.5819807648658752, -0.5203874707221985, -0.27234524488449097, 0.1896158903837204,
  ]);
  assertEquals([...layer!.bias], [-0.014010033570230007, 0.5606575012207031, -0.06275151669979095]);
  model.dispose();

  // torch.manual_seed(5), then the three layers of the quickstart: first, second and last weight of each.
  const quickstart = new Mlp([784, 512, 512, 10], 5);
  assertEquals((await quickstart.weights()).map(({ weight }) => [weight[0], weight[1], weight.at(-1)]), [
    [0.023589421063661575, -0.026706364005804062, -0.017495526000857353],
    [-0.03597453236579895, 0.03509066626429558, -0.02244347520172596],
    [0.023867981508374214, -0.031228259205818176, 0.020085765048861504],
  ]);
  quickstart.dispose();
});

Deno.test("Mlp prints the network of the quickstart as PyTorch does, with 669,706 parameters", async () => {
  await useBackend("cpu");
  const model = new Mlp([784, 512, 512, 10], 0);
  assertEquals(model.parameterCount, 669_706);
  assertEquals(
    String(model),
    `NeuralNetwork(
  (flatten): Flatten(start_dim=1, end_dim=-1)
  (linear_relu_stack): Sequential(
    (0): Linear(in_features=784, out_features=512, bias=True)
    (1): ReLU()
    (2): Linear(in_features=512, out_features=512, bias=True)
    (3): ReLU()
    (4): Linear(in_features=512, out_features=10, bias=True)
  )
)`,
  );
  model.dispose();
});

Deno.test("studyLinear() computes xAᵀ + b in float64 and float32 beside TensorFlow.js", async () => {
  for (const backend of ["cpu", "wasm"] as const) {
    await useBackend(backend);
    const study = await studyLinear(0);
    // PyTorch 2.13: torch.manual_seed(0); nn.Linear(2, 1)(torch.tensor([[100., 200.], [300., 400.]]))
    assertEquals(study.weight, KNOWN.weight);
    assertEquals(study.bias, KNOWN.bias);
    for (const [i, { framework, exact, rounded }] of study.rows.entries()) {
      for (const value of [framework, exact, rounded]) {
        // A float32 near 150 is 1.5e-5 from the next.
        assertEquals(Math.abs(value - KNOWN.y[i]!) < 3e-5, true);
      }
      assertEquals(rounded, Math.fround(rounded));
    }
    assertEquals(study.rows.some(({ framework, exact }) => framework !== exact), true);
    assertEquals(explainLinear(study).includes("float32"), true);
  }
});

const KNOWN = {
  weight: [-0.005293981172144413, 0.37932288646698] as [number, number],
  bias: -0.5819807648658752,
  y: [74.75320434570312, 149.55897521972656],
};
