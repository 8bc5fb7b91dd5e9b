import { assertEquals } from "@std/assert";
import { onDeno } from "../../serve/platform.ts";

const CONNECTION = { remoteAddr: { hostname: "10.0.0.1" } };

function address(
  forwarded: string | undefined,
  trustedProxies = 1,
  clientAddressHeader = "x-forwarded-for",
): string {
  const headers = new Headers(forwarded === undefined ? {} : { "x-forwarded-for": forwarded });
  const request = new Request("http://localhost/", { headers });
  return onDeno(request, CONNECTION, { clientAddressHeader, trustedProxies }).address!;
}

Deno.test("onDeno() takes the address that the trusted proxies added, not those that the client sent", () => {
  assertEquals(address("192.0.2.1"), "192.0.2.1");
  assertEquals(address("1.1.1.1, 192.0.2.1"), "192.0.2.1");
  assertEquals(address("1.1.1.1,2.2.2.2 ,192.0.2.1, 10.0.0.2", 2), "192.0.2.1");
  assertEquals(address("192.0.2.1", 3), "192.0.2.1", "some proxies were bypassed");
  assertEquals(address("1.1.1.1, , ", 1), "1.1.1.1");
});

Deno.test("onDeno() takes the connection's address where there is no header, or it is not to be used", () => {
  assertEquals(address(undefined), "10.0.0.1");
  assertEquals(address(" , "), "10.0.0.1");
  assertEquals(address("1.1.1.1", 1, ""), "10.0.0.1");
});

Deno.test("onDeno() removes the port that some proxies add, and bounds the length", () => {
  assertEquals(address("192.0.2.1:50000"), "192.0.2.1");
  assertEquals(address("[2001:db8::1]:50000"), "2001:db8::1");
  assertEquals(address("[2001:db8::1]"), "2001:db8::1");
  assertEquals(address("2001:db8::1"), "2001:db8::1");
  assertEquals(address("x".repeat(5000)).length, 64);
});
