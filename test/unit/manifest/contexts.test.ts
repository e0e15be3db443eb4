/** FUNC_CONTEXT and FUNC_CONTEXT_V1BETA2 as one, and documents of older specs. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { isFrameworkError } from "../../../src/core/errors";
import { mergeContexts, readContexts } from "../../../src/manifest/contexts";

const known = ["auth", "audit", "tracing", "skywalking"];

function merge(context: object | undefined, v1beta2?: object) {
  const text = (value: object | undefined) => (value === undefined ? undefined : JSON.stringify(value));
  return mergeContexts(readContexts({ context: text(context), v1beta2: text(v1beta2) }), known);
}

const topic = { componentName: "stream", componentType: "pubsub.redis", uri: "orders" };
const binding = { componentName: "queue", componentType: "bindings.kafka", operation: "create" };
const first = {
  name: "f",
  version: "v1",
  runtime: "Async",
  inputs: { orders: topic },
  outputs: { queue: binding },
};
const trigger = { name: "stream", type: "pubsub.redis", topic: "orders", inputName: "orders" };

test("topology is the first document's, the second adds what can only be read", () => {
  const merged = merge(first, {
    name: "other",
    version: "v2",
    triggers: { http: { port: 9000 }, dapr: [{ name: "else", topic: "x" }] },
    inputs: {
      orders: { componentName: "ignored", componentType: "state.redis" },
      store: { componentName: "redis", componentType: "state.redis" },
    },
    outputs: { queue: { componentName: "other", componentType: "bindings.http" } },
  });

  assert.deepEqual(merged, {
    ...first,
    inputs: {
      ...first.inputs,
      store: { componentName: "redis", componentType: "state.redis", subscribed: false },
    },
  });
});

const lists: [title: string, plugins: object, hooks: object, pre: unknown, post: unknown][] = [
  ["both lack them: all run", {}, {}, undefined, undefined],
  ["one document has them", { prePlugins: ["auth"], postPlugins: [] }, {}, ["auth"], []],
  ["the other has them", {}, { preHooks: ["audit"], postHooks: ["auth"] }, ["audit"], ["auth"]],
  [
    "hooks come first before the call and last after it",
    { prePlugins: ["auth", "audit"], postPlugins: ["audit", "auth"] },
    { preHooks: ["audit"], postHooks: ["auth"] },
    ["audit", "auth"],
    ["audit", "auth"],
  ],
  [
    "hooks nobody knows here say nothing",
    { prePlugins: ["auth"] },
    { preHooks: ["go-only"] },
    ["auth"],
    undefined,
  ],
  ["an empty list means none", {}, { preHooks: [], postHooks: [] }, [], []],
];

test("lists of plugins and hooks are merged", () => {
  for (const [title, plugins, hooks, pre, post] of lists) {
    const merged = merge({ ...first, ...plugins }, { triggers: {}, ...hooks });

    assert.deepEqual([merged?.prePlugins, merged?.postPlugins], [pre, post], title);
  }
});

test("tracing is the second document's when it says something, null turns it off", () => {
  const own = { enabled: true, provider: { name: "skywalking", oapServer: "a:1" }, tags: { a: "b" } };
  const other = { enabled: true, provider: { name: "opentelemetry", exporter: { endpoint: "x" } } };
  const tracingOf = (second: object) =>
    merge({ ...first, pluginsTracing: own }, { triggers: {}, ...second })?.pluginsTracing;

  assert.deepEqual(tracingOf({}), own);
  assert.deepEqual(tracingOf({ tracing: other }), other);
  assert.equal(tracingOf({ tracing: null }), undefined);
});

test("the second document alone, or under the other name, makes an asynchronous function of its triggers", () => {
  const document = {
    name: "f",
    version: "v2",
    triggers: {
      http: { port: 9000 },
      dapr: [trigger, { name: "clock", type: "" }, { name: "untyped", topic: "t" }],
    },
    outputs: {
      out: { componentName: "queue", componentType: "", operation: "create", metadata: { a: "b" } },
    },
    states: { s: { componentName: "redis", componentType: "state.redis" } },
    preHooks: ["auth"],
  };
  const expected = {
    name: "f",
    version: "v2",
    runtime: "Async",
    port: "9000",
    inputs: {
      orders: topic,
      clock: { componentName: "clock", componentType: "bindings.unknown" },
      untyped: { componentName: "untyped", componentType: "pubsub.unknown", uri: "t" },
    },
    outputs: {
      out: {
        componentName: "queue",
        componentType: "bindings.unknown",
        operation: "create",
        metadata: { a: "b" },
      },
    },
    states: document.states,
    prePlugins: ["auth"],
  };

  assert.deepEqual(merge(undefined, document), expected);
  assert.deepEqual(merge(document), expected);
  assert.equal(merge(undefined, { triggers: { http: {} } })?.runtime, "Knative");
  assert.equal(merge(undefined), undefined);
});

const old: [title: string, given: object, inputs: object, outputs: object][] = [
  [
    "v0.1: one input, everything in params",
    {
      runtime: "OpenFuncAsync",
      input: { name: "stream", uri: "orders", params: { type: "pubsub" } },
      outputs: {
        queue: { uri: "q", params: { type: "bindings", operation: "create", metadata: '{"key":"1"}' } },
      },
    },
    { stream: { uri: "orders", componentName: "stream", componentType: "pubsub.unknown" } },
    {
      queue: {
        uri: "q",
        componentName: "queue",
        componentType: "bindings.unknown",
        operation: "create",
        metadata: { key: "1" },
      },
    },
  ],
  [
    "v0.2: component and type",
    {
      runtime: "OpenFuncAsync",
      clientPort: "50001",
      inputs: { cron: { uri: "cron", component: "clock", type: "bindings" } },
      outputs: { out: { uri: "t", component: "stream", type: "pubsub", metadata: { a: "b" } } },
    },
    { cron: { uri: "cron", componentName: "clock", componentType: "bindings.unknown" } },
    { out: { uri: "t", componentName: "stream", componentType: "pubsub.unknown", metadata: { a: "b" } } },
  ],
];

test("documents of older specs are read", () => {
  for (const [title, given, inputs, outputs] of old) {
    const merged = merge({ name: "f", ...given });

    assert.deepEqual([merged?.runtime, merged?.inputs, merged?.outputs], ["Async", inputs, outputs], title);
  }
});

const broken: [
  title: string,
  first: object | undefined,
  second: object | undefined,
  ...problems: RegExp[],
][] = [
  [
    "an input of type invoke",
    { runtime: "OpenFuncAsync", input: { name: "a", params: { type: "invoke" } } },
    undefined,
    /inputs\.a is of type "invoke", which is not served/,
  ],
  [
    "old metadata that is no JSON",
    { input: { name: "a", params: { type: "bindings", metadata: "{" } } },
    undefined,
    /inputs\.a\.params\.metadata is not JSON/,
  ],
  [
    "states of another type",
    { states: { s: { componentName: "a", componentType: "pubsub.redis" } } },
    undefined,
    /states\.s\.componentType must begin with "state\."/,
  ],
  [
    "plugins that are a text",
    { prePlugins: "auth", postPlugins: [1] },
    undefined,
    /prePlugins must be a list of names, not "auth"/,
    /postPlugins\[0\] must be a name, not 1/,
  ],
  [
    "tracing",
    { pluginsTracing: { enabled: "yes", provider: "skywalking", tags: { a: 1 }, baggage: [] } },
    undefined,
    /pluginsTracing\.enabled must be true or false, not "yes"/,
    /pluginsTracing\.provider must be an object/,
    /pluginsTracing\.tags\.a must be a text, not 1/,
    /pluginsTracing\.baggage must be an object of texts/,
  ],
  [
    "tracing without a provider's name",
    { pluginsTracing: { enabled: true, provider: {} } },
    undefined,
    /pluginsTracing\.provider\.name is missing/,
  ],
  [
    "how a topic is subscribed to",
    {
      inputs: {
        a: {
          ...topic,
          metadata: { rawPayload: "yes" },
          deadLetterTopic: "orders",
          bulkSubscribe: { enabled: "true", maxMessagesCount: 0, maxAwaitDurationMs: 1.5 },
        },
        b: { ...binding, deadLetterTopic: "dead", metadata: { direction: "output" } },
      },
    },
    undefined,
    /inputs\.a\.metadata\.rawPayload must be "true" or "false", not "yes"/,
    /inputs\.a\.deadLetterTopic must be another topic than uri/,
    /inputs\.a\.bulkSubscribe\.enabled must be true or false, not "true"/,
    /inputs\.a\.bulkSubscribe\.maxMessagesCount must be a whole number from 1/,
    /inputs\.a\.bulkSubscribe\.maxAwaitDurationMs must be a whole number/,
    /inputs\.b\.deadLetterTopic is for topics/,
    /inputs\.b\.metadata\.direction must name "input"/,
  ],
  [
    "inputs that share a topic",
    {
      inputs: {
        a: { ...topic, match: "true", deadLetterTopic: "x" },
        b: { ...topic, match: "false", deadLetterTopic: "y" },
        c: { ...topic, match: "true" },
        d: { ...topic, match: 5 },
        e: { ...binding, match: "true" },
      },
    },
    undefined,
    /inputs\.b\.deadLetterTopic differs from that of inputs\.a, which reads the same topic/,
    /inputs\.c reads the same topic "orders" of "stream" as inputs\.a/,
    /inputs\.d\.match must be a text, not 5/,
    /inputs\.e\.match is for topics/,
  ],
  [
    "the second document",
    undefined,
    {
      triggers: {
        http: { port: 0 },
        dapr: [
          { type: "pubsub.redis" },
          5,
          trigger,
          { ...trigger, inputName: "again" },
          { name: "x", type: "pubsub.redis" },
          { name: "y", type: "state.redis" },
        ],
      },
      preHooks: {},
      inputs: { a: { componentType: 1 } },
    },
    /triggers\.http\.port must be a number from 1/,
    /triggers\.dapr\[0\]\.name is missing/,
    /triggers\.dapr\[1\] must be an object, not 5/,
    /triggers\.dapr\[3\] reads the same topic "orders" of "stream" as triggers\.dapr\[2\]/,
    /triggers\.dapr\[4\]\.topic is missing/,
    /triggers\.dapr\[5\]\.type must begin with "bindings\.", "pubsub\."/,
    /preHooks must be a list of names/,
    /inputs\.a\.componentName is missing/,
    /inputs\.a\.componentType must be a text, not 1/,
  ],
];

test("every trigger is an input, whatever its name", () => {
  const named = (name: string, inputName: string) => ({ name, type: "bindings.cron", inputName });
  const dapr = [named("a", "__proto__"), named("b", "z"), named("c", "z"), named("d", "z")];

  const context = merge(undefined, { triggers: { dapr } });

  const components = Object.values(context?.inputs ?? {}).map(({ componentName }) => componentName);
  assert.deepEqual(components, ["a", "b", "c", "d"]);
});

test("every problem is told, with its path", () => {
  for (const [title, one, other, ...problems] of broken) {
    assert.throws(
      () => merge(one, other),
      (err) => {
        assert.ok(isFrameworkError(err), String(err));
        assert.equal(err.code, "FF_CONTEXT_INVALID");
        for (const problem of problems) assert.match(err.message, problem, title);
        return true;
      },
    );
  }
});
