import assert from "node:assert/strict";
import { test } from "node:test";

import { isFrameworkError } from "../../../src/core/errors";
import { parseFunctionContext } from "../../../src/manifest/function-context";

const binding = { componentName: "mqtt-in", componentType: "bindings.mqtt" };
const topic = { componentName: "mqtt-pubsub", componentType: "pubsub.mqtt3", uri: "sub" };

test("a whole context is kept as it is, unknown fields too", () => {
  const context = {
    name: "relay",
    version: "v1",
    runtime: "Async",
    port: "8080",
    inputs: { "mqtt-input": { ...binding, uri: "in", metadata: { route: "/x" } }, "mqtt-sub": topic },
    outputs: { "mqtt-output": { ...binding, operation: "create" } },
    prePlugins: ["one"],
    clientPort: 1,
  };

  assert.deepEqual(parseFunctionContext(JSON.stringify(context)), context);
});

test("what is not given has its default", () => {
  for (const text of ["{}", '{"runtime":"","inputs":null,"outputs":null,"version":null}']) {
    const { name, runtime, inputs, outputs } = parseFunctionContext(text);

    assert.deepEqual(
      { name, runtime, inputs, outputs },
      { name: "", runtime: "Knative", inputs: {}, outputs: {} },
    );
  }
});

const runtimes: [given: unknown, runtime: string][] = [
  ["Async", "Async"],
  ["async", "Async"],
  ["ASYNC", "Async"],
  ["Knative", "Knative"],
  ["knative", "Knative"],
];

test("the runtime in any case", () => {
  for (const [given, runtime] of runtimes) {
    assert.equal(parseFunctionContext(JSON.stringify({ runtime: given })).runtime, runtime);
  }
});

const inputs = (value: unknown) => ({ inputs: { in: value } });
const invalid: [title: string, context: unknown, ...problems: RegExp[]][] = [
  ["a list", [], /must be an object, not a list/],
  ["null", null, /must be an object, not null/],
  ["a text", "context", /must be an object, not "context"/],
  ["a runtime nobody knows", { runtime: "cloud" }, /runtime must be "Knative" or "Async", not "cloud"/],
  ["a runtime that is a number", { runtime: 1 }, /runtime .* not 1/],
  ["a name that is a number", { name: 1 }, /name must be a text, not 1/],
  ["a port out of range", { port: "65536" }, /port must be a number from 1 to 65535, not "65536"/],
  ["a port that is no number", { port: "http" }, /port .* not "http"/],
  ["inputs that are a list", { inputs: [binding] }, /inputs must be an object of components, not a list/],
  ["outputs that are a text", { outputs: "out" }, /outputs must be an object/],
  ["a component that is null", inputs(null), /inputs\.in must be an object, not null/],
  ["no componentName", inputs({ componentType: "bindings.mqtt" }), /inputs\.in\.componentName is missing/],
  ["no componentType", inputs({ componentName: "a" }), /inputs\.in\.componentType is missing/],
  [
    "a componentType of another kind",
    inputs({ ...binding, componentType: "state.redis" }),
    /componentType must begin with "bindings\.", "pubsub\.", not be "state\.redis"/,
  ],
  ["a topic without uri", inputs({ ...topic, uri: undefined }), /inputs\.in\.uri is missing: the topic/],
  [
    "metadata that is a list",
    inputs({ ...binding, metadata: [] }),
    /inputs\.in\.metadata must be an object of texts/,
  ],
  [
    "metadata that is a number",
    inputs({ ...binding, metadata: { qos: 1 } }),
    /inputs\.in\.metadata\.qos must be a text, not 1/,
  ],
  [
    "two inputs on one topic",
    { inputs: { a: topic, b: topic } },
    /inputs\.b reads the same topic "sub" of "mqtt-pubsub" as inputs\.a/,
  ],
  [
    "two inputs on one binding",
    { inputs: { a: binding, b: binding } },
    /inputs\.b reads the same binding "mqtt-in" as inputs\.a/,
  ],
  [
    "several problems at once",
    { runtime: "cloud", port: 0, outputs: { out: {} } },
    /4 problems/,
    /runtime/,
    /port/,
    /outputs\.out\.componentName is missing/,
    /outputs\.out\.componentType is missing/,
  ],
];

test("every problem is told, with its field", () => {
  for (const [title, context, ...problems] of invalid) {
    const err = errorOf(JSON.stringify(context));

    assert.equal(err.code, "FF_CONTEXT_INVALID", title);
    for (const problem of problems) assert.match(err.message, problem, title);
  }
});

test("a syntax error tells the variable, line and column", () => {
  const err = errorOf('{\n  "name": "a",\n}');

  assert.equal(err.code, "FF_CONTEXT_SYNTAX");
  assert.match(err.message, /^FUNC_CONTEXT is not valid JSON: .*line 3 column 1/);
});

function errorOf(text: string) {
  try {
    parseFunctionContext(text);
  } catch (err) {
    assert.ok(isFrameworkError(err));
    return err;
  }
  throw new Error(`accepted: ${text}`);
}
