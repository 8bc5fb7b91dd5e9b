import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buckets, networkOf } from "../../serve/middleware/rate_limit.ts";

Deno.test("Buckets allows a burst of its capacity, and then requests at its refill rate", () => {
  const buckets = new Buckets(60);
  for (let i = 0; i < 60; i++) assertEquals(buckets.take("a", 0), 0);
  assertEquals(buckets.take("a", 0), 1);
  assertEquals(buckets.take("b", 0), 0, "another client has its own bucket");
  assertEquals(buckets.take("a", 1000), 0);
  assertEquals(buckets.take("a", 1000), 1);
  assertEquals(new Buckets(1).take("a", 0), 0);
});

Deno.test("Buckets returns the time to wait, in whole seconds", () => {
  const slow = new Buckets(2);
  slow.take("a", 0);
  slow.take("a", 0);
  assertEquals(slow.take("a", 0), 30);
  assertEquals(slow.take("a", 29_000), 1);
  assertEquals(slow.take("a", 30_000), 0);
});

Deno.test("Buckets never allows more than its capacity and its refill", () => {
  const steps = fc.array(fc.nat(3000), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(fc.integer({ min: 1, max: 100 }), steps, (capacity, steps) => {
    const buckets = new Buckets(capacity);
    let now = 0, passed = 0;
    for (const step of steps) {
      now += step;
      if (buckets.take("a", now) === 0) passed++;
      assert(passed <= capacity + capacity * now / 60_000 + 1e-6);
    }
  }));
});

Deno.test("Buckets keeps a limited number of clients, and drops the least recently active", () => {
  const buckets = new Buckets(1, 3);
  for (const client of ["a", "b", "c"]) assertEquals(buckets.take(client, 0), 0);
  assert(buckets.take("a", 1) > 0);
  assertEquals(buckets.take("d", 2), 0);
  assertEquals(buckets.size, 3);
  assert(buckets.take("a", 3) > 0, "a was there a moment ago");
  assertEquals(buckets.take("b", 4), 0, "b was dropped");
});

Deno.test("networkOf() counts all addresses of an IPv6 /64 as one client", () => {
  const cases: [string, string][] = [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::9", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["", ""],
  ];
  for (const [address, network] of cases) assertEquals(networkOf(address), network, address);
});
