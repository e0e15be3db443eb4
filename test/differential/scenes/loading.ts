/** Finding and loading functions: spec §4. */
import type { Scene } from "./scene";

const hello = ["--target=hello"];
const get = { "GET /": {} };

export const loading: Scene[] = [
  {
    name: "hello",
    fixture: "hello",
    args: ["--target=tryKnative"],
    requests: { ...get, query: { path: "/?u=you" } },
  },
  { name: "named-function", fixture: "named-function", requests: get },
  { name: "single-function", fixture: "single-function", requests: get },
  { name: "registered", fixture: "registered", args: ["--target=stored"] },
  { name: "registered: other", fixture: "registered", args: ["--target=other"], requests: get },
  {
    name: "registered-esm",
    fixture: "registered-esm",
    args: ["--target=late", "--source=index.mjs"],
    requests: get,
  },
  { name: "registered-twice", fixture: "registered-twice", args: hello, requests: get },
  { name: "targets", fixture: "targets", args: hello, requests: get },
  { name: "targets: nested", fixture: "targets", args: ["--target=greetings.german.hallo"], requests: get },
  { name: "targets: on a function", fixture: "targets", args: ["--target=hello.loudly"], requests: get },
  { name: "targets: unknown", fixture: "targets", args: ["--target=hullo"] },
  { name: "targets: unknown, nested", fixture: "targets", args: ["--target=greetings.french.salut"] },
  { name: "targets: a number", fixture: "targets", args: ["--target=answer"] },
  { name: "targets: null", fixture: "targets", args: ["--target=nothing"] },
  { name: "targets: a class", fixture: "targets", args: ["--target=Greeter"], requests: get },
  { name: "targets: no target", fixture: "targets" },
  {
    name: "default-export",
    fixture: "default-export",
    args: ["--target=default", "--source=index.mjs"],
    requests: get,
  },
  { name: "module-is-function", fixture: "module-is-function", args: ["--target=default"], requests: get },
  { name: "esm-by-type", fixture: "esm-by-type", args: hello, requests: get },
  { name: "esm-without-type", fixture: "esm-without-type", args: hello, requests: get },
  {
    name: "top-level-await",
    fixture: "top-level-await",
    args: [...hello, "--source=index.mjs"],
    requests: get,
  },
  { name: "function-js", fixture: "function-js", args: hello, requests: get },
  { name: "index-cjs-alone", fixture: "index-cjs-alone", args: hello, requests: get },
  { name: "index-mjs-alone", fixture: "index-mjs-alone", args: hello, requests: get },
  { name: "exports-in-package-json", fixture: "exports-in-package-json", args: hello, requests: get },
  { name: "typescript", fixture: "typescript", args: hello, requests: get },
  { name: "main-in-package-json", fixture: "main-in-package-json", args: hello, requests: get },
  { name: "main-missing", fixture: "main-missing", args: hello, requests: get },
  { name: "modules: file and folder", fixture: "modules", args: [...hello, "--source=hello"], requests: get },
  { name: "modules: .cjs", fixture: "modules", args: [...hello, "--source=hello.cjs"], requests: get },
  { name: "modules: .mjs", fixture: "modules", args: [...hello, "--source=hello.mjs"], requests: get },
  { name: "broken-dependency", fixture: "broken-dependency", args: hello },
  { name: "broken-dependency: ESM", fixture: "broken-dependency", args: [...hello, "--source=index.mjs"] },
  { name: "broken-esm-in-commonjs", fixture: "broken-esm-in-commonjs", args: hello },
  { name: "broken-nothing-there", fixture: "broken-nothing-there", args: hello },
  { name: "broken-package-json", fixture: "broken-package-json", args: hello },
  { name: "broken-registrations", fixture: "broken-registrations", args: hello, env: { NAME: "a/b" } },
  {
    name: "broken-registrations: a number as function",
    fixture: "broken-registrations",
    args: hello,
    env: { NAME: "hello", NOT_A_FUNCTION: "5" },
    requests: get,
  },
  { name: "broken-syntax", fixture: "broken-syntax", args: hello },
  ...["error.js", "error.mjs", "exit.js", "null.js", "string.js", "type-error.js", "undefined.mjs"].map(
    (file) => ({
      name: `broken-while-loading: ${file}`,
      fixture: "broken-while-loading",
      args: [...hello, `--source=${file}`],
    }),
  ),
];

const named = { fixture: "named-function", requests: get };

/** Flags and variables: spec §3.1 and §4.3. */
export const options: Scene[] = [
  { ...named, name: "options: target by environment", env: { FUNCTION_TARGET: "other" } },
  {
    ...named,
    name: "options: flag beats environment",
    args: ["--target=other"],
    env: { FUNCTION_TARGET: "function" },
  },
  { ...named, name: "options: value in the next argument", args: ["--target", "other"] },
  {
    ...named,
    name: "options: source by environment",
    fixture: "modules",
    env: { FUNCTION_SOURCE: "hello.cjs", FUNCTION_TARGET: "hello" },
  },
  { ...named, name: "options: empty target", args: ["--target="] },
  { ...named, name: "options: target twice", args: ["--target=function", "--target=other"] },
  { ...named, name: "options: unknown flag", args: ["--dry-run", "positional"] },
  { ...named, name: "options: bad signature", args: ["--signature-type=htpp"], requests: {} },
  { ...named, name: "options: signature in capitals", args: ["--signature-type=HTTP"], requests: {} },
  { ...named, name: "options: bad timeout", args: ["--timeout=soon"], requests: {} },
  { ...named, name: "options: negative timeout", args: ["--timeout=-1"], requests: {} },
  { ...named, name: "options: timeout with a unit", args: ["--timeout=5s"] },
  { ...named, name: "options: port is a word", args: ["--port=abc"], requests: {} },
  { ...named, name: "options: port too large", args: ["--port=65536"], requests: {} },
  {
    ...named,
    name: "options: ignored routes that are no pattern",
    args: ["--ignored-routes=/{a"],
    requests: {},
  },
  { ...named, name: "options: version", args: ["--version"], requests: {} },
  { ...named, name: "options: help", args: ["--help"], requests: {} },
  { ...named, name: "options: help after another", args: ["--target=other", "--help"], requests: {} },
];
