/**
 * A worker that puts the body of a request into its bucket, under the path of the request. `?copies=N` adds N objects
 * with a number after the path.
 */
export default {
  async fetch(request, { MODELS_BUCKET, FEEDBACK }) {
    const { pathname, searchParams } = new URL(request.url);
    const bucket = MODELS_BUCKET ?? FEEDBACK, key = pathname.slice(1), body = await request.arrayBuffer();
    await bucket.put(key, body);
    const copies = Array.from({ length: Number(searchParams.get("copies")) }, (_, i) => `${key}.${i}`);
    await Promise.all(copies.map((copy) => bucket.put(copy, "")));
    return new Response("done");
  },
};
