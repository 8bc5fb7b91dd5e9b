/**
 * Reads protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec/) by a table of messages, and
 * refuses unknown fields, wrong types and repeated singular fields.
 *
 * @module
 */

/** Names and types of fields: `int32`, `repeated ModelInput`, `map<string, ModelParameter>`. */
export interface Schema {
  enums: Record<string, string[]>;
  messages: Record<string, Record<string, string>>;
}

const TOKEN = /\s*(?:#[^\n]*\n\s*)*("(?:[^"\\\n]|\\.)*"|[\w.+-]+|[{}[\]:,;])/y;

/** @returns the message as a plain object; maps as objects, strings and enums as strings, integers as numbers */
export function parseTextFormat(text: string, schema: Schema, message: string): Record<string, unknown> {
  const tokens = tokenize(text);
  let at = 0;
  const result = parseMessage(message, undefined);
  if (at < tokens.length) throw new SyntaxError(`unexpected ${tokens[at]}`);
  return result;

  function parseMessage(type: string, end: string | undefined): Record<string, unknown> {
    const fields = schema.messages[type];
    if (!fields) throw new SyntaxError(`no message ${type}`);
    const result: Record<string, unknown> = {};
    while (tokens[at] !== end) {
      const name = tokens[at++]!;
      const declared = fields[name];
      if (!declared) throw new SyntaxError(`${type} has no field ${name}`);
      const [, map] = /^map<\w+, (.*)>$/.exec(declared) ?? [];
      const [, repeated] = /^repeated (.*)$/.exec(declared) ?? [];
      const isMessage = map !== undefined || (repeated ?? declared) in schema.messages;
      if (tokens[at] === ":") at++;
      else if (!isMessage) throw new SyntaxError(`${name} needs a colon`);
      if (map !== undefined) {
        const entry = parseEntry(map);
        result[name] = { ...result[name] as object, ...entry };
      } else if (repeated !== undefined) {
        result[name] = [...result[name] as unknown[] ?? [], ...parseList(repeated)];
      } else {
        if (name in result) throw new SyntaxError(`${name} occurs twice`);
        result[name] = parseValue(declared);
      }
      if (tokens[at] === "," || tokens[at] === ";") at++;
    }
    at++;
    return result;
  }

  function parseList(type: string): unknown[] {
    if (tokens[at] !== "[") return [parseValue(type)];
    at++;
    const list: unknown[] = [];
    while (tokens[at] !== "]") {
      list.push(parseValue(type));
      if (tokens[at] === ",") at++;
      else if (tokens[at] !== "]") throw new SyntaxError(`unexpected ${tokens[at]} in a list`);
    }
    at++;
    return list;
  }

  function parseEntry(type: string): Record<string, unknown> {
    const entry = {
      enums: schema.enums,
      messages: { ...schema.messages, entry: { key: "string", value: type } },
    };
    const before = schema;
    schema = entry;
    const { key, value } = parseValue("entry") as { key: string; value: unknown };
    schema = before;
    return { [key]: value };
  }

  function parseValue(type: string): unknown {
    const token = tokens[at++];
    if (token === undefined) throw new SyntaxError("unexpected end");
    if (type in schema.messages) {
      if (token !== "{") throw new SyntaxError(`${type} must begin with {: current value is ${token}`);
      return parseMessage(type, "}");
    }
    if (schema.enums[type]?.includes(token)) return token;
    if (type === "string" && token.startsWith('"')) return JSON.parse(token);
    if (type === "bool" && /^(true|false)$/.test(token)) return token === "true";
    if (/^u?int(32|64)$/.test(type) && (type.startsWith("u") ? /^\d+$/ : /^-?\d+$/).test(token)) {
      return Number(token);
    }
    throw new SyntaxError(`${token} is no ${type}`);
  }
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const end = text.replace(/(\s|#[^\n]*(\n|$))*$/, "").length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`unexpected ${JSON.stringify(text.slice(at, at + 20))}`);
    tokens.push(match[1]!);
  }
  return tokens;
}
