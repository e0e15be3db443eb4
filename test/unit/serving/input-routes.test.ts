import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";

import { Input, type Route } from "../../../src/serving/input-routes";

test("the metadata of an input is picked from the headers at the first read, and only then", () => {
  let reads = 0;
  const req = Object.defineProperty(new IncomingMessage(new Socket()), "headers", {
    get: () => {
      reads++;
      return { host: "x", "content-type": "text/plain", topic: "in" };
    },
  });
  const component = { componentName: "queue", componentType: "bindings.mqtt3" };
  const route: Route = { caller: "binding", name: "orders", component, trigger: "binding:queue" };

  const input = new Input(route, req);
  const before = reads;
  const first = input.metadata;

  assert.deepEqual([before, reads, first], [0, 1, { topic: "in" }]);
  assert.equal(input.metadata, first);
  assert.equal(reads, 1);
});
