import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { test } from "node:test";

import { createLateExpress, expressNames } from "../../../src/serving/express-late";

const require = createRequire(__filename);

function late() {
  for (const file of Object.keys(require.cache))
    if (/[\\/]express[\\/]lib[\\/]/.test(file)) delete require.cache[file];
  return createLateExpress();
}

test("the names are those of the installed Express", () => {
  const names = (part: string) => Object.getOwnPropertyNames(require(`express/lib/${part}`)).join(" ");

  assert.equal(expressNames.request, names("request"));
  assert.equal(expressNames.response, names("response"));
});

test("before Express is loaded its methods are there, and nothing is loaded by looking for them", () => {
  const { request, response } = late();

  assert.ok("status" in response && "query" in request && !("nothing" in response));
  assert.equal(Object.getPrototypeOf(request), IncomingMessage.prototype);
  assert.equal(Object.getPrototypeOf(response), ServerResponse.prototype);
});

test("the first method that is read is Express's own, and so are all after it", () => {
  const { request, response } = late();
  const res = Object.create(response);

  const { status } = res;

  const express = require("express/lib/response");
  assert.equal(status, express.status);
  assert.equal(Object.getPrototypeOf(response), express);
  assert.equal(Object.getPrototypeOf(request), require("express/lib/request"));
  assert.deepEqual([Object.keys(response), Object.keys(request)], [[], []]);
});

test("a getter of Express sees the message it is read of", () => {
  const { request } = late();
  const req = Object.assign(Object.create(request), { url: "/a?b=c" });

  assert.equal(req.path, "/a");
});

test("an assignment does what it does with Express: methods are replaced, what is only read stays", () => {
  const { request, response } = late();
  const [req, res] = [Object.assign(Object.create(request), { url: "/a" }), Object.create(response)];
  const send = () => undefined;

  res.send = send;

  assert.equal(res.send, send);
  assert.ok(Object.hasOwn(res, "send"));
  assert.throws(() => {
    req.path = "/b";
  }, TypeError);
});

test("an Express that the user's code has loaded is used at once, with what was added to it", () => {
  late();
  const express = require("express/lib/response");
  express.success = () => "added";

  const { response } = createLateExpress();

  assert.equal((response as typeof express).success(), "added");
  delete express.success;
});
