/** Which function a path in front is for. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createFrontRoutes } from "../../../src/dev/front-routes";

const http = (name: string) => ({ name, isAsync: false });
const async = (name: string) => ({ name, isAsync: true });

const cases: [
  what: string,
  functions: ReturnType<typeof http>[],
  rows: Record<string, string | undefined>,
][] = [
  [
    "one HTTP function answers everywhere, and below its name without it",
    [http("hello")],
    {
      "/hello": "hello /",
      "/hello/": "hello /",
      "/hello?a=1": "hello /?a=1",
      "/hello/a/b?c=/d": "hello /a/b?c=/d",
      "/hello//a": "hello //a",
      "/hello/../a": "hello /../a",
      "/helloo": "hello as it is",
      "/": "hello as it is",
      "/?x": "hello as it is",
      "*": "hello as it is",
      "/other/hello": "hello as it is",
      "http://localhost:1/hello/a": "hello /a",
      "http://localhost:1": "hello as it is",
    },
  ],
  [
    "of several each has its name",
    [http("one"), http("two")],
    {
      "/one/x": "one /x",
      "/two": "two /",
      "/": undefined,
      "/three": undefined,
      "/%6Fne": undefined,
      "*": undefined,
    },
  ],
  [
    "the only HTTP function has the rest",
    [async("relay"), http("front"), async("other")],
    { "/relay/in": "relay /in", "/front": "front /", "/": "front as it is", "/x": "front as it is" },
  ],
  [
    "the only async function has the rest",
    [async("relay")],
    { "/relay/in": "relay /in", "/in": "relay as it is" },
  ],
  ["without a function there is nothing", [], { "/": undefined }],
];
for (const [what, functions, rows] of cases) {
  test(what, () => {
    const find = createFrontRoutes(functions);

    const found = Object.keys(rows).map((target) => {
      const route = find(target);
      return [target, route && `${route.function} ${route.path ?? "as it is"}`];
    });

    assert.deepEqual(Object.fromEntries(found), rows);
  });
}
