import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { loadExpress } from "../../../src/serving/express";

const require = createRequire(__filename);

test("the parts of Express are where they are looked for", () => {
  const asked: string[] = [];

  const parts = loadExpress((name) => {
    asked.push(name);
    return require(name);
  });

  assert.deepEqual(asked, ["express/lib/utils", "express/lib/request", "express/lib/response"]);
  assert.equal(typeof parts.response.send, "function");
});

test("an Express that has them elsewhere gives the same", () => {
  const [usual, other] = [
    loadExpress(),
    loadExpress((name) => {
      if (name !== "express") throw new Error(`Cannot find module '${name}'`);
      return require("express");
    }),
  ];

  for (const parts of [usual, other]) {
    assert.equal(typeof parts.response.send, "function");
    assert.equal(parts.compile("etag", false), undefined);
    assert.equal((parts.compile("trust proxy", true) as () => boolean)(), true);
    assert.deepEqual(
      { ...(parts.compile("query parser", "simple") as (text: string) => object)("a=1") },
      { a: "1" },
    );
  }
});

test("undici's pool is where it is looked for", () => {
  assert.equal(typeof require("undici/lib/dispatcher/pool.js"), "function");
});
