/**
 * The API key, for servers that ask for one. It lives as long as the tab.
 *
 * @module
 */
/// <reference lib="dom" />
const NAME = "selvedge.key";

let key = sessionStorage.getItem(NAME) ?? "";

export function hasKey(): boolean {
  return key !== "";
}

/** @param value empty to forget it */
export function setKey(value: string): void {
  key = value;
  if (value === "") sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, value);
}

/** The headers of a request. */
export function withKey(headers: Record<string, string> = {}): Record<string, string> {
  return key === "" ? headers : { ...headers, authorization: `Bearer ${key}` };
}
