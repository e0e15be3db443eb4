/** Loading and options: what ends or does not end a start. */
import type { Difference } from "./row";

const start = ["start"];
const starts = ["exit 1 → listens"];

export const startDifferences: Difference[] = [
  {
    in: ["single-function", "targets: no target"],
    requests: start,
    differs: starts,
    spec: "4.1",
    why: "With no target given, the only function there is needs no name.",
  },
  {
    in: "module-is-function",
    requests: start,
    differs: starts,
    spec: "4.1",
    why: "`module.exports = fn` is reached by the target `default`, as the default export of an ES module is.",
  },
  {
    in: ["index-cjs-alone", "index-mjs-alone", "exports-in-package-json"],
    requests: start,
    differs: starts,
    spec: "4.2",
    why: "Where their order of files finds nothing, `exports` and more endings are looked for.",
  },
  {
    in: "typescript",
    requests: start,
    differs: starts,
    spec: "4.2",
    why: "TypeScript is transformed on every Node; theirs has what Node strips, which is no enum.",
  },
  {
    in: "targets: a class",
    requests: start,
    differs: ["listens → exit 1"],
    spec: "4.3",
    why: "A class as target is told at the start; theirs answers every request with 500.",
  },
  {
    in: "broken-registrations: a number as function",
    requests: start,
    differs: ["listens → exit 1"],
    spec: "4.1",
    why: "What is registered is checked when it is registered.",
  },
  {
    in: "options: empty target",
    requests: start,
    differs: starts,
    spec: "2",
    why: "An empty value falls through to the next level.",
  },
  {
    in: "options: target twice",
    requests: start,
    differs: starts,
    spec: "3.1",
    why: "Of a repeated flag the last one wins; theirs makes a list of it and fails.",
  },
  {
    in: "options: port is a word",
    requests: start,
    differs: ["listens on a socket file → exit 1"],
    spec: "4.3",
    why: "A port is checked; theirs makes a socket file of that name.",
  },
  {
    in: ["options: version", "options: help after another"],
    requests: start,
    differs: ["listens → exit 0"],
    spec: "3.1",
    why: "Help and version are answered in any position and start no server.",
  },
  {
    in: "ignored routes: a list",
    requests: start,
    differs: starts,
    spec: "5.4",
    why: "Lists and a final star are allowed; theirs crashes at the star.",
  },
];
