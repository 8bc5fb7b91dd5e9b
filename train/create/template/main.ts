/** The server on Deno: `deno task serve`, at the address that the variables HOST and PORT name. */
import { parseArgs } from "node:util";
import worker from "./worker.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: Deno.env.get("HOST") || "127.0.0.1" },
    port: { type: "string", default: Deno.env.get("PORT") || "8000" },
  },
});
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535) {
  console.error(
    `error: the port must be a number in 0..65535: current value is "${values.port}"`,
  );
  Deno.exit(2);
}
Deno.serve(
  { hostname: values.host, port: Number(values.port) },
  (request, info) => worker.fetch(request, info),
);
