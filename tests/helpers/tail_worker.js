/**
 * A worker that logs what workerd traces of another one, as Cloudflare's own observability receives it
 * (https://developers.cloudflare.com/workers/observability/logs/tail-workers/).
 *
 * @module
 */
export default {
  tailStream(onset) {
    const { traceId } = onset.spanContext;
    return ({ event }) => {
      if (event.type === "spanUpdate" || event.type === "attributes") {
        // deno-lint-ignore no-console -- the test reads the log
        console.log(
          JSON.stringify({ message: "traced", trace_id: traceId, type: event.type, info: event.info }),
        );
      }
    };
  },
};
