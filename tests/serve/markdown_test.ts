import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { MAX_MARKDOWN_LENGTH } from "../../serve/model_files.ts";
import { renderMarkdown } from "../../serve/pages/markdown.ts";
import { shippedFiles } from "../../serve/shipped_files.ts";
import { escape } from "../../train/report/markdown.ts";
import { modelCard } from "../../train/report/model_card.ts";
import type { RunMetrics } from "../../train/artifact/metrics.ts";

const METRICS: RunMetrics = JSON.parse(
  await Deno.readTextFile(new URL("../../shared/artifacts/fashion-mnist/metrics.json", import.meta.url)),
);

function render(text: string): string {
  return renderMarkdown(text, {
    link: (address) => address,
    image: (file) => file === "plot.svg" ? `/model/${file}` : undefined,
  });
}

/** The tags of HTML with their attributes; text cannot look like one, as its `<` is escaped. */
function tags(html: string): string[] {
  return html.match(/<[^>]*>/g) ?? [];
}

const ATTACKS = [
  "<script>alert(1)</script>",
  "a <script>alert(1)</script> b",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<!-- --><iframe src=//x></iframe>",
  "<a href='javascript:alert(1)'>x</a>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](javascript&colon;alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](&#x6A;avascript&#58;alert(1))",
  "[x](<java\tscript:alert(1)>)",
  "[x](<\u0001javascript:alert(1)>)",
  "[x](vbscript:msgbox(1))",
  "[x](VBScript&#58;msgbox(1))",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](DATA&#x3a;text/html,1)",
  "[x](file:///etc/passwd)",
  "[x][r]\n\n[r]: javascript:alert(1)",
  "<javascript:alert(1)>",
  "<JAVASCRIPT:alert(1)>",
  "<data:text/html,1>",
  "<a@b.c>",
  "![x](javascript:alert(1))",
  "![x](data:image/svg+xml,1)",
  "![x](https://example.org/track.png)",
  "![x](plot.svg.png)",
  "![x](//example.org/plot.svg)",
];

for (const attack of ATTACKS) {
  Deno.test(`renderMarkdown() makes neither markup nor links of ${JSON.stringify(attack)}`, () => {
    assertEquals(tags(render(attack)).filter((tag) => !/^<\/?p>$/.test(tag)), []);
    assertEquals(tags(render(`# ${attack}`)).filter((tag) => !/^<\/?(h1|p)( id="[^"]*")?>$/.test(tag)), []);
  });
}

Deno.test("renderMarkdown() keeps text inside of its attribute", () => {
  assertEquals(tags(render('[x](https://a.b/"onclick="alert(1))')), [
    "<p>",
    '<a href="https://a.b/%22onclick=%22alert(1)">',
    "</a>",
    "</p>",
  ]);
  assertEquals(tags(render('[x](https://a.b \'"onclick="alert(1)"\')')), [
    "<p>",
    '<a href="https://a.b" title="&quot;onclick=&quot;alert(1)&quot;">',
    "</a>",
    "</p>",
  ]);
  assertEquals(tags(render('![" onerror="alert(1)](plot.svg)')), [
    "<p>",
    '<img src="/model/plot.svg" alt="&quot; onerror=&quot;alert(1)" loading="lazy">',
    "</p>",
  ]);
  assertEquals(tags(render('# a" onclick="alert(1)')), ['<h1 id="a-onclickalert1">', "</h1>"]);
});

Deno.test("renderMarkdown() shows the HTML and the language of code as text", () => {
  const pre = '<pre tabindex="0"><code>&lt;/code&gt;&lt;script&gt;</code></pre>\n';
  assertEquals(render('```html"><script>\n</code><script>\n```'), pre);
  assertEquals(render("    </code><script>"), pre);
  assertEquals(render("`</code><script>`"), "<p><code>&lt;/code&gt;&lt;script&gt;</code></p>\n");
});

Deno.test("renderMarkdown() links to the web, to pages of the server and to headings", () => {
  for (const address of ["https://a.b/?c=d", "http://a.b", "/docs", "#top"]) {
    assertStringIncludes(render(`[x](${address})`), `<a href="${address}">x</a>`);
  }
  assertEquals(
    render("<https://a.b/?q>"),
    '<p><a href="https://a.b/?q">https://a.b/?q</a></p>\n',
  );
});

Deno.test("renderMarkdown() makes nothing of addresses that are not marked as links", () => {
  assertEquals(render("https://a.b (c) 1/2 --"), "<p>https://a.b (c) 1/2 --</p>\n");
});

Deno.test("renderMarkdown() renders the whole card of the shipped model", () => {
  const card = shippedFiles.card!;
  const page = renderMarkdown(card, { link: (address) => address, image: (file) => `/model/${file}` });
  const count = (pattern: RegExp, text: string): number => text.match(pattern)?.length ?? 0;
  assertEquals(
    [count(/<h[12] id="[a-z-]+">/g, page), count(/<table>/g, page), count(/<tr>/g, page)],
    // Each table has a line of dashes, and the first one has no head.
    [count(/^##? /gm, card), count(/^\|[ |:]*-[ |:-]*\|$/gm, card), count(/^\|.*[a-z].*\|$/gm, card)],
  );
  assertEquals(count(/<thead>/g, page), count(/<table>/g, page) - 1);
  assertEquals(count(/<img src="\/model\/\w+\.svg" alt="[^"]+" loading="lazy">/g, page), 5);
  assertEquals(count(/<li>/g, page), count(/^- /gm, card));
  assertEquals(count(/<pre tabindex="0"><code>/g, page), 2);
  assertStringIncludes(page, '<td class="number">92.23 %</td>');
  assertStringIncludes(
    page,
    '<a href="https://github.com/zalandoresearch/fashion-mnist">Fashion-MNIST</a>',
  );
  assertNotMatch(page.replace(/<code>[^]*?<\/code>/g, ""), /\*\*|`|\]\(|^\||^#/m);
  assertNotMatch(page, /style=/);
});

Deno.test("renderMarkdown() has room for the card of a model with 1,000 classes of long names", () => {
  const { classes: [first] } = METRICS;
  const classes = Array.from({ length: 1000 }, (_, i) => ({ ...first!, label: `${i} `.padEnd(60, "x") }));
  const confusion = classes.map(() => classes.map(() => 0));
  const card = modelCard({ ...METRICS, classes, confusion });
  assert(card.length > MAX_MARKDOWN_LENGTH / 2);
  assertEquals(render(card).match(/<tr>\n<td>\d+ x/g)?.length, 1000);
});

Deno.test("renderMarkdown() shows a text that is too long without formatting, and says so", () => {
  const longest = "*a* <b>".padEnd(MAX_MARKDOWN_LENGTH, "\n");
  assertEquals(render(longest), "<p><em>a</em> &lt;b&gt;</p>\n");
  assertMatch(
    render(longest + "\n"),
    /^<p>This text has more than 128 Ki characters, so .+<\/p>\n<pre tabindex="0"><code>\*a\* &lt;b&gt;<\/code>/,
  );
});

Deno.test("renderMarkdown() shows a long paragraph, heading or cell as text", () => {
  const long = "[a](/b)".repeat(2000);
  assert(render(long) === `<p>${long}</p>\n`);
  assertEquals(tags(render(`|a|\n|-|\n|${long}|`)).includes('<a href="/b">'), false);
});

Deno.test("renderMarkdown() renders twenty levels at most", () => {
  for (const mark of ["> ", "- ", "1. ", "[", "*", "![a]("]) {
    const levels = tags(render(mark.repeat(20_000) + "end")).length / 2;
    assertEquals(levels > 0 && levels <= 20, true, `${mark}: ${levels}`);
  }
});

Deno.test("names in a model card are shown as they are", () => {
  const name = "~~a~~ &amp; &lt; <b> *c* [d](/e) `f` \\ ![g](h) # | i";
  const shown = render(`a ${escape(name)}`);
  assertEquals(
    shown,
    "<p>a ~~a~~ &amp;amp; &amp;lt; &lt;b&gt; *c* [d](/e) `f` \\ ![g](h) # | i</p>\n",
  );
});
