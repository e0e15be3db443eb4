/** Function CRs of v1beta2, from YAML to what the function is told. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { makePlan } from "../../../src/dev/plan";
import { readManifests } from "../../../src/manifest/read";
import { makeProject } from "../../support/project";

function plan(t: import("node:test").TestContext, yaml: string) {
  const cwd = makeProject(t, { "function.yaml": yaml });
  return makePlan(readManifests({ paths: undefined, cwd, env: {} }), cwd);
}

const whole = `apiVersion: core.openfunction.io/v1beta2
kind: Function
metadata:
  name: invoices
  namespace: shop
  annotations:
    functions.openfunction.io/retry: '{"maxAttempts":4}'
    plugins: |
      order: [one, two]
spec:
  version: v2.0.0
  image: example/invoices:latest
  serving:
    annotations:
      dapr.io/app-protocol: http
    triggers:
      http:
        port: 9000
        engine: keda
      dapr:
        - name: stream
          type: pubsub.mqtt3
          topic: created
          inputName: created
        - name: stream
          topic: cancelled
          inputName: cancelled
        - name: mqtt-in
      inputs:
        - dapr:
            name: store
            type: state.redis
    outputs:
      - dapr:
          name: mqtt-out
          operation: create
          metadata:
            topic: elsewhere
          outputName: archive
      - dapr:
          name: stream
          topic: paid
    hooks:
      policy: Override
      pre: [auth]
      post: []
    tracing:
      enabled: true
      provider: {name: opentelemetry}
    params:
      FUNCTION_TARGET: handle
    pubsub:
      stream: &mqtt
        type: pubsub.mqtt3
        version: v1
        metadata:
          - {name: consumerID, value: a}
          - {name: url, value: "tcp://broker:1883"}
    bindings:
      mqtt-in:
        type: bindings.mqtt3
        version: v1
        metadata:
          - {name: consumerID, value: b}
          - {name: url, value: "tcp://broker:1883"}
          - {name: topic, value: in}
      mqtt-out:
        type: bindings.mqtt3
        version: v1
        metadata:
          - {name: consumerID, value: c}
          - {name: url, value: "tcp://broker:1883"}
          - {name: topic, value: out}
`;

test("a whole CR becomes both documents of the platform", (t) => {
  const { functions, problems, notices } = plan(t, whole);

  assert.deepEqual(problems, []);
  const [one] = functions;
  assert.deepEqual([one?.name, one?.appId, one?.isAsync], ["invoices", "invoices-shop", true]);
  const stream = { componentName: "stream", componentType: "pubsub.mqtt3" };
  assert.deepEqual(JSON.parse(one?.env.FUNC_CONTEXT ?? ""), {
    name: "invoices",
    version: "v2.0.0",
    runtime: "Async",
    inputs: {
      created: { ...stream, uri: "created" },
      cancelled: { ...stream, uri: "cancelled" },
      "mqtt-in": { componentName: "mqtt-in", componentType: "bindings.mqtt3", uri: "mqtt-in" },
    },
    outputs: {
      archive: {
        componentName: "mqtt-out",
        componentType: "bindings.mqtt3",
        uri: "mqtt-out",
        operation: "create",
        metadata: { topic: "elsewhere" },
      },
      stream: { ...stream, uri: "paid" },
    },
    prePlugins: ["one", "two"],
    postPlugins: ["two", "one"],
  });
  const second = JSON.parse(one?.env.FUNC_CONTEXT_V1BETA2 ?? "");
  assert.deepEqual(second.triggers.dapr, [
    { name: "stream", type: "pubsub.mqtt3", topic: "created", inputName: "created" },
    { name: "stream", type: "pubsub.mqtt3", topic: "cancelled", inputName: "cancelled" },
    { name: "mqtt-in", type: "bindings.mqtt3", inputName: "mqtt-in" },
  ]);
  assert.deepEqual(second.inputs, { store: { componentName: "store", componentType: "" } });
  assert.deepEqual([second.preHooks, second.postHooks], [["auth"], []]);
  assert.equal(second.tracing.provider.name, "opentelemetry");
  assert.equal(one?.env.FUNC_RETRY, '{"maxAttempts":4}');
  assert.equal(one?.env.FUNCTION_TARGET, "handle");
  assert.match(notices.join(), /has an http and a dapr trigger.*nothing is served over HTTP/);
});

test("without triggers it is served over HTTP, and has no hooks", (t) => {
  const { functions, problems } = plan(
    t,
    `apiVersion: core.openfunction.io/v1beta2
kind: Function
metadata: {name: hello}
spec: {image: x, serving: {params: {FUNC_CONTEXT: '{"name":"own"}'}}}
`,
  );

  assert.deepEqual(problems, []);
  assert.equal(functions[0]?.isAsync, false);
  assert.equal(functions[0]?.env.FUNC_CONTEXT, '{"name":"own"}'); // a parameter wins, as on the platform
  const second = JSON.parse(functions[0]?.env.FUNC_CONTEXT_V1BETA2 ?? "");
  assert.deepEqual([second.preHooks, second.postHooks, second.tracing], [undefined, undefined, undefined]);
});

test("every problem is told, with its place", (t) => {
  const { problems } = plan(
    t,
    `apiVersion: core.openfunction.io/v1beta2
kind: Function
metadata:
  name: bad
  annotations:
    functions.openfunction.io/retry: "3"
    plugins: "order: one"
    plugins.tracing: "[enabled"
spec:
  serving:
    triggers:
      http: {port: http, engine: nginx}
      dapr:
        - topic: a
        - name: stream
        - name: stream
          topic: b
    outputs:
      - name: stream
    hooks: {policy: Prepend, pre: auth}
    tracing: on
    pubsub:
      stream: {type: bindings.mqtt3}
`,
  );

  const told = problems.map(({ message, place }) => `${place?.line} ${message}`).join("\n");
  for (const problem of [
    /14 spec\.serving\.triggers\.dapr\.0\.name is missing/,
    /16 spec\.serving\.triggers\.dapr\.2\.name "stream" is given twice: tell them apart by inputName/,
    /spec\.serving\.triggers\.http\.port must be a port, not "http"/,
    /spec\.serving\.triggers\.http\.engine must be knative or keda, not "nginx"/,
    /spec\.serving\.outputs\.0\.dapr\.name is missing/,
    /spec\.serving\.hooks\.policy must be Append or Override, not "Prepend"/,
    /spec\.serving\.hooks\.pre must be a list/,
    /spec\.serving\.tracing must be a map/,
    /spec\.serving\.pubsub\.stream\.type must begin with "pubsub\."/,
    /metadata\.annotations\.plugins must hold lists of names/,
    /metadata\.annotations\.plugins\.tracing is not YAML/,
    /6 metadata\.annotations\.functions\.openfunction\.io\/retry must be JSON such as .*must be an object, not 3/,
  ])
    assert.match(told, problem);
});

test("states are declared below spec, as the platform has them", (t) => {
  const { functions } = plan(
    t,
    `apiVersion: core.openfunction.io/v1beta2
kind: Function
metadata: { name: keeper }
spec:
  image: example/keeper:latest
  serving:
    triggers: { http: { port: 8080 } }
    states:
      ledger:
        spec: { type: state.in-memory, version: v1 }
`,
  );

  const [keeper] = functions;

  assert.deepEqual(JSON.parse(keeper?.env.FUNC_CONTEXT ?? "{}").states, {
    ledger: { componentName: "ledger", componentType: "state.in-memory" },
  });
  assert.deepEqual(
    keeper?.components.map(({ name, type }) => [name, type]),
    [["ledger", "state.in-memory"]],
  );
});

test("the annotation plugins.tracing is the context's, and its provider stands in both lists", (t) => {
  const contextOf = (annotations: string) => {
    const { functions, problems } = plan(
      t,
      `apiVersion: core.openfunction.io/v1beta1
kind: Function
metadata: {name: hello, annotations: {${annotations}}}
spec: {image: x, serving: {runtime: knative}}
`,
    );
    assert.deepEqual(problems, []);
    return JSON.parse(functions[0]?.env.FUNC_CONTEXT ?? "");
  };
  const tracing = '"plugins.tracing": "{enabled: true, provider: {name: skywalking, oapServer: oap:11800}}"';

  const alone = contextOf(tracing);
  const listed = contextOf(`plugins: "order: [a, b]", ${tracing}`);
  const off = contextOf('"plugins.tracing": "enabled: false"');

  const provider = { name: "skywalking", oapServer: "oap:11800" };
  assert.deepEqual(alone.pluginsTracing, { enabled: true, provider });
  assert.deepEqual([alone.prePlugins, alone.postPlugins], [["skywalking"], ["skywalking"]]);
  assert.deepEqual(listed.prePlugins, ["a", "b", "skywalking"]);
  assert.deepEqual(listed.postPlugins, ["skywalking", "b", "a"]);
  assert.deepEqual([off.prePlugins, off.pluginsTracing], [undefined, { enabled: false }]);
});

test("a state store that is declared as in v1beta1 is told where it belongs", (t) => {
  const { problems } = plan(
    t,
    `apiVersion: core.openfunction.io/v1beta2
kind: Function
metadata: {name: hello}
spec: {image: x, serving: {triggers: {http: {port: 8080}}, states: {cart: {type: state.in-memory}}}}
`,
  );

  assert.match(problems[0]?.message ?? "", /states\.cart declares its store below spec in v1beta2/);
});
