/**
 * Code that sends the picture on screen to the server. The page shows it, and the tests run it as it is shown.
 *
 * @module
 */

/** A picture file. */
export interface NamedFile {
  name: string;
  /** Its media type, one that the server reads. */
  type: string;
}

/** What the code depends on. */
export interface CodeOptions {
  /** Of the server. */
  origin: string;
  needsKey: boolean;
  file: NamedFile;
}

/** The languages, by the ids that the page uses. */
export const LANGUAGES: Record<string, { title: string; code: (options: CodeOptions) => string }> = {
  fetch: { title: "fetch", code: fetchCode },
  curl: { title: "curl", code: curlCode },
  python: { title: "Python", code: pythonCode },
};

function fetchCode({ origin, needsKey, file: { name } }: CodeOptions): string {
  const headers = needsKey ? '\n  headers: { authorization: `Bearer ${prompt("API key")}` },' : "";
  return `// ${oneLine(name)}, chosen in an <input type="file">
const [file] = document.querySelector("input[type=file]").files;
const response = await fetch(${JSON.stringify(`${origin}/v1/classify`)}, {
  method: "POST",${headers}
  body: file,
});
if (!response.ok) throw new Error((await response.json()).detail);
const { predictions: [{ label, score }] } = await response.json();
console.log(label, score);`;
}

function curlCode({ origin, needsKey, file: { name, type } }: CodeOptions): string {
  const key = needsKey ? ` \\\n  -H "authorization: Bearer $KEY"` : "";
  return `curl ${origin}/v1/classify${key} \\
  -H 'content-type: ${type}' --data-binary @${shellWord(name)}`;
}

function pythonCode({ origin, needsKey, file: { name, type } }: CodeOptions): string {
  const key = needsKey ? `, "authorization": "Bearer " + os.environ["KEY"]` : "";
  return `import json${needsKey ? ", os" : ""}, urllib.request

with open(${JSON.stringify(name)}, "rb") as file:
    data = file.read()
request = urllib.request.Request(
    ${JSON.stringify(`${origin}/v1/classify`)}, data, {"content-type": "${type}"${key}}
)
with urllib.request.urlopen(request) as response:
    prediction = json.load(response)["predictions"][0]
print(prediction["label"], prediction["score"])`;
}

/** A word of a shell; only quoted where it must be. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The name of a file may contain a line break. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
