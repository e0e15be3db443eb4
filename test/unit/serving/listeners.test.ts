/** Listeners of a request run within its invocation, and stay those of an event emitter. */
import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, test } from "node:test";

import { currentInvocation, Invocation, runInvocation } from "../../../src/core/invocation";
import { defineListeners, requestListeners, responseListeners } from "../../../src/serving/listeners";
import { type Carrier, invocationOf } from "../../../src/serving/request";

const ways = ["on", "addListener", "once", "prependListener", "prependOnceListener"] as const;

function open() {
  const req = new IncomingMessage(new Socket()) as IncomingMessage & Carrier;
  const res = new ServerResponse(req) as ServerResponse<IncomingMessage> & Carrier;
  const invocation = new Invocation("hello", "http", "http", res);
  defineListeners(req, requestListeners);
  defineListeners(res, responseListeners);
  return { req, res, invocation };
}

for (const kind of ["req", "res"] as const) {
  describe(kind, () => {
    for (const way of ways) {
      test(`${way}: called in the invocation, with what was emitted`, () => {
        const opened = open();
        const { invocation, [kind]: emitter } = opened;
        emitter[invocationOf] = invocation;
        const calls: unknown[] = [];
        emitter[way]("news", function (this: unknown, ...args: unknown[]) {
          calls.push([this === emitter, currentInvocation() === invocation, ...args]);
        });

        assert.equal(emitter.emit("news", 1, 2), true);
        emitter.emit("news", 3);

        const isSingle = /once/i.test(way);
        assert.deepEqual(
          calls,
          isSingle
            ? [[true, true, 1, 2]]
            : [
                [true, true, 1, 2],
                [true, true, 3],
              ],
        ); // prettier-ignore
        assert.equal(emitter.listenerCount("news"), isSingle ? 0 : 1);
      });

      test(`${way}: removed by the listener that was given`, () => {
        const { invocation, [kind]: emitter } = open();
        emitter[invocationOf] = invocation;
        const listener = () => assert.fail("it was removed");
        const result = emitter[way]("news", listener);

        assert.equal(result, emitter);
        assert.deepEqual(emitter.listeners("news"), [listener]);
        emitter.removeListener("news", listener);
        emitter.emit("news");

        assert.equal(emitter.listenerCount("news"), 0);
      });

      test(`${way}: before there is an invocation it is Node's`, () => {
        const { [kind]: emitter } = open();
        const calls: unknown[] = [];
        const listener = () => calls.push(currentInvocation());
        emitter[way]("news", listener);

        emitter.emit("news");
        emitter.removeListener("news", listener);
        emitter.emit("news");

        assert.deepEqual(calls, [undefined]);
      });

      test(`${way}: what is no function is refused as by Node`, () => {
        const { invocation, [kind]: emitter } = open();
        emitter[invocationOf] = invocation;
        assert.throws(() => emitter[way]("news", "no function" as never), { code: "ERR_INVALID_ARG_TYPE" });
      });
    }

    test("what a listener throws fails the invocation, and the next one is called", () => {
      const { invocation, [kind]: emitter } = open();
      emitter[invocationOf] = invocation;
      const failures: unknown[] = [];
      invocation.fail = (thrown) => failures.push(thrown);
      const calls: string[] = [];
      emitter.on("news", () => {
        throw new Error("thrown");
      });
      emitter.on("news", () => calls.push("next"));

      emitter.emit("news");

      assert.deepEqual(failures.map(String), ["Error: thrown"]);
      assert.deepEqual(calls, ["next"]);
    });

    test("emitted by the invocation itself, what is thrown reaches who emits", () => {
      const { invocation, [kind]: emitter } = open();
      emitter[invocationOf] = invocation;
      emitter.once("news", () => {
        throw new Error("thrown");
      });

      runInvocation(invocation, () => assert.throws(() => emitter.emit("news"), /thrown/));
    });
  });
}
