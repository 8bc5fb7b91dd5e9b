/** A worker that puts the body of a request into the bucket, under its path. */
export default {
  async fetch(request, { MODELS_BUCKET }) {
    await MODELS_BUCKET.put(new URL(request.url).pathname.slice(1), await request.arrayBuffer());
    return new Response("done");
  },
};
