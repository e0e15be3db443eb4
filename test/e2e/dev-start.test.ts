/** What `dev` says when it cannot start, and the port rule. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";

import { startBroker } from "../../src/local/broker";
import { freePorts, startDev } from "../support/dev";
import { freePort } from "../support/mosquitto";
import { connectOutside } from "../support/mqtt-client";
import { asyncFunctionYaml, httpFunctionYaml, makeProject } from "../support/project";

const good = "export const relay = (ctx, data) => ctx.send(data);\n";

/** A CR written as people write it, so that places have lines to point at. */
const yaml = `apiVersion: core.openfunction.io/v1beta1
kind: Function
metadata:
  name: relay
spec:
  image: example/image
  serving:
    runtime: async
    params:
      FUNCTION_TARGET: relay
    inputs:
      - name: source
        component: mqtt-in
    outputs:
      - name: sink
        component: stream
        topic: out
    bindings:
      mqtt-in:
        type: bindings.mqtt
        version: v1
        metadata:
          - name: consumerID
            value: "{uuid}"
          - name: url
            value: tcp://admin:public@emqx:1883
          - name: topic
            value: in
    pubsub:
      stream:
        type: pubsub.mqtt
        version: v1
        metadata:
          - name: url
            value: tcp://admin:public@emqx:1883
`;

async function failure(t: TestContext, files: Record<string, string>, args: string[] = []) {
  const dev = startDev(makeProject(t, files), [...freePorts, ...args]);
  t.after(() => dev.stop("SIGKILL"));
  const { code } = await dev.exited;
  assert.deepEqual(dev.stray, []);
  return {
    code,
    errors: dev.all("error").map(({ data }) => data),
    stderr: dev.stderr,
    ready: dev.all("ready").length,
  };
}

const changed = (from: string, to: string) => ({
  "function.yaml": yaml.replace(from, to),
  "index.mjs": good,
});

const mistakes: [
  what: string,
  files: Record<string, string>,
  args: string[],
  expected: [code: string, place: string | undefined, message: RegExp][],
][] = [
  [
    "an empty folder",
    { "index.mjs": good },
    [],
    [["FF_MANIFEST_NO_FUNCTION", undefined, /No Function is declared/]],
  ],
  ["a file that is not there", {}, ["-f", "gone.yaml"], [["FF_MANIFEST_NOT_FOUND", undefined, /gone\.yaml/]]],
  [
    "an empty file",
    { "function.yaml": "" },
    ["-f", "function.yaml"],
    [["FF_MANIFEST_NO_FUNCTION", undefined, /function\.yaml/]],
  ],
  [
    "broken YAML",
    { "function.yaml": "kind: Function\nmetadata: [name\n" },
    [],
    [["FF_MANIFEST_SYNTAX", "function.yaml:3:1", /./]],
  ],
  [
    "another kind",
    { "function.yaml": "apiVersion: v1\nkind: Service\n" },
    ["-f", "function.yaml"],
    [["FF_MANIFEST_KIND", "function.yaml:2:7", /Service/]],
  ],
  ["another version", changed("v1beta1", "v9"), [], [["FF_MANIFEST_VERSION", "function.yaml:1:13", /v9/]]],
  [
    "an unknown runtime",
    changed("runtime: async", "runtime: lambda"),
    [],
    [["FF_MANIFEST_FIELD", "function.yaml:8:14", /runtime must be knative or async, not "lambda"/]],
  ],
  [
    "a component nobody declares",
    changed("component: mqtt-in", "component: mqtt-im"),
    [],
    [["FF_COMPONENT_UNKNOWN", "function.yaml:12:9", /"mqtt-im".*"mqtt-in", "stream"/]],
  ],
  [
    "an unknown component type",
    changed("bindings.mqtt", "bindings.smoke"),
    [],
    [["FF_COMPONENT_TYPE", "function.yaml:20:9", /bindings\.smoke/]],
  ],
  [
    "metadata that is missing",
    changed("- name: topic\n            value: in", "- name: retain\n            value: false"),
    [],
    [["FF_COMPONENT_METADATA", "function.yaml:20:9", /"topic".*missing/]],
  ],
  [
    "a url that cannot be used",
    changed(
      "value: tcp://admin:public@emqx:1883\n          - name: topic",
      "value: ws://admin:secret@emqx\n          - name: topic",
    ),
    [],
    [["FF_COMPONENT_METADATA", "function.yaml:20:9", /"url".*ws:\/\/admin:\*\*\*@emqx/]],
  ],
  [
    "a topic that is missing",
    changed("        topic: out\n", ""),
    [],
    [["FF_MANIFEST_FIELD", "function.yaml:15:9", /"stream" needs a topic/]],
  ],
  [
    "an input on an HTTP function",
    changed("runtime: async", "runtime: knative"),
    [],
    [["FF_MANIFEST_FIELD", "function.yaml:12:9", /async/]],
  ],
  [
    "a name that no host can have",
    changed("name: relay", "name: Relay_1"),
    [],
    [["FF_MANIFEST_FIELD", "function.yaml:4:9", /Relay_1/]],
  ],
  [
    "several problems, all at once",
    {
      "function.yaml": yaml
        .replace("runtime: async", "runtime: lambda")
        .replace("component: stream", "component: nobody"),
      "index.mjs": good,
    },
    [],
    [
      ["FF_MANIFEST_FIELD", "function.yaml:8:14", /lambda/],
      ["FF_COMPONENT_UNKNOWN", "function.yaml:15:9", /nobody/],
    ],
  ],
  [
    "two functions of one name",
    { "a.yaml": `${httpFunctionYaml("one", "a")}\n---\n${httpFunctionYaml("one", "b")}` },
    ["-f", "a.yaml"],
    [["FF_MANIFEST_DUPLICATE", "a.yaml:3:53", /"one".*twice.*a\.yaml:\d+:\d+/]],
  ],
];

for (const [what, files, args, expected] of mistakes) {
  test(`${what}: exit 1 with code, place and sentence`, async (t) => {
    const { code, errors, ready } = await failure(t, files, args);

    assert.equal(code, 1);
    assert.equal(ready, 0);
    assert.deepEqual(
      errors.map((one) => [one.code, one.place]),
      expected.map(([errorCode, place]) => [errorCode, place]),
    );
    for (const [index, [, , message]] of expected.entries())
      assert.match(errors[index]?.message ?? "", message);
  });
}

const modules: [what: string, module: string | undefined, code: string, message: RegExp][] = [
  ["no module", undefined, "FF_LOAD_NOT_FOUND", /No module/],
  ["a syntax error", "export const = 1;", "FF_LOAD_SYNTAX", /index\.mjs/],
  ["a module that throws", "throw new Error('no database');", "FF_LOAD_FAILED", /no database/],
  ["a missing dependency", "import 'left-behind';", "FF_LOAD_DEPENDENCY", /left-behind/],
  ["a missing target", "export const relays = () => {};", "FF_TARGET_NOT_FOUND", /"relay".*"relays"/],
  ["a process that exits while it loads", "process.exit(3);", "FF_INSTANCE_EXITED", /exit code 3/],
];
for (const [what, module, errorCode, message] of modules) {
  test(`${what}: exit 1, and what was started is stopped`, async (t) => {
    const { code, errors } = await failure(
      t,
      {
        "function.yaml": yaml,
        ...(module !== undefined && { "index.mjs": module }),
      },
      ["--no-watch"],
    );

    assert.equal(code, 1);
    assert.equal(errors[0]?.code, errorCode);
    assert.match(errors[0]?.message ?? "", message);
  });
}

test("for people a problem is one line: file:line:column code sentence", async (t) => {
  const { stderr } = await failureForPeople(t, changed("component: mqtt-in", "component: mqtt-im"));

  assert.match(
    stderr,
    /^function\.yaml:12:9 FF_COMPONENT_UNKNOWN Nobody declares the component "mqtt-im"\. Declared are "mqtt-in", "stream"\.\n {2}Did you mean "mqtt-in"\?\n$/,
  );
});

for (const [args, message] of [
  [["--prot=1"], /^FF_OPTION_UNKNOWN "dev" has no option "prot"\.\n {2}Did you mean "port"\?\n$/],
  [["--port=many"], /FF_OPTION_INVALID.*"many" of --port/s],
  [["--brokers=none"], /FF_OPTION_INVALID.*"none" of --brokers.*embedded, declared/s],
  [["extra"], /FF_OPTION_UNKNOWN.*"extra"/s],
] as const) {
  test(`dev ${args.join(" ")} is an error that says what is allowed`, async (t) => {
    const { code, stderr } = await failureForPeople(t, { "function.yaml": yaml, "index.mjs": good }, [
      ...args,
    ]);

    assert.equal(code, 1);
    assert.match(stderr, message);
  });
}

async function failureForPeople(t: TestContext, files: Record<string, string>, args: string[] = []) {
  const dev = startDev(makeProject(t, files), ["--json=false", "--log-format=pretty", ...args]);
  t.after(() => dev.stop("SIGKILL"));
  const { code } = await dev.exited;
  return { code, stderr: dev.stderr };
}

async function occupy(t: TestContext, port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
}

for (const flag of ["--port", "--dapr-port", "--mqtt-port"]) {
  test(`an explicit ${flag} that is taken is an error`, async (t) => {
    const port = await freePort();
    await occupy(t, port);
    const others = freePorts.filter((one) => !one.startsWith(`${flag}=`));

    const dev = startDev(makeProject(t, { "function.yaml": yaml, "index.mjs": good }), [
      ...others,
      `${flag}=${port}`,
    ]);
    t.after(() => dev.stop("SIGKILL"));
    const { code } = await dev.exited;

    assert.equal(code, 1);
    assert.equal(dev.all("error")[0]?.data.code, "FF_PORT_IN_USE");
    assert.match(dev.all("error")[0]?.data.hint ?? "", new RegExp(flag));
  });

  test(`an explicit ${flag} that is free is used`, async (t) => {
    const port = await freePort();
    const others = freePorts.filter((one) => !one.startsWith(`${flag}=`));

    const dev = startDev(makeProject(t, { "function.yaml": yaml, "index.mjs": good }), [
      ...others,
      `${flag}=${port}`,
    ]);
    t.after(() => dev.stop());
    const { functions, brokers } = await dev.ready();

    const used = {
      "--port": functions[0]?.url,
      "--dapr-port": functions[0]?.sidecar,
      "--mqtt-port": brokers[0]?.address,
    }[flag];
    assert.equal(new URL(used ?? "").port, String(port));
  });
}

test("defaults that are taken move to the next free port, and it is said aloud", async (t) => {
  const first = startDev(makeProject(t, { "function.yaml": yaml, "index.mjs": good }), ["--json=false"]);
  t.after(() => first.stop());
  await readyScreen(first);
  const second = startDev(makeProject(t, { "function.yaml": yaml, "index.mjs": good }), ["--json=false"]);
  t.after(() => second.stop());
  await readyScreen(second);

  for (const flag of ["--port", "--dapr-port", "--mqtt-port"])
    assert.match(second.stderr, new RegExp(`is taken, so ${flag} is \\d+`));
  assert.match(second.stderr, /relay {2}\(openfunction, pid \d+\)/);
});

async function readyScreen(dev: ReturnType<typeof startDev>): Promise<void> {
  const stream = dev.child.stderr as NodeJS.ReadableStream;
  const signal = AbortSignal.timeout(15_000);
  while (!dev.stderr.includes("Ready.")) await once(stream, "data", { signal });
}

test("a CR that implies gRPC is fed over HTTP, and one line says so", async (t) => {
  const withoutAnnotation = JSON.parse(asyncFunctionYaml({ outputs: { "mqtt-out": "out" } }));
  delete withoutAnnotation.spec.serving.annotations;
  const dev = startDev(
    makeProject(t, { "function.yaml": JSON.stringify(withoutAnnotation), "index.mjs": good }),
    ["--json=false", ...freePorts],
  );
  t.after(() => dev.stop());
  await readyScreen(dev);

  assert.match(dev.stderr, /Function "relay" says nothing of dapr\.io\/app-protocol.*HTTP/);
});

test("components and secrets of their own documents are used; kinds without effect are named", async (t) => {
  const functionOnly = yaml
    .slice(0, yaml.indexOf("    bindings:"))
    .replace("component: stream\n        topic: out", "component: sink\n        operation: create");
  const component = (name: string, topic: string) => `---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: ${name} }
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
    - { name: consumerID, value: "{uuid}" }
    - { name: url, secretKeyRef: { name: broker, key: url } }
    - { name: topic, value: ${topic} }
`;
  const more = `${component("mqtt-in", "in")}${component("sink", "out")}---
apiVersion: v1
kind: Secret
metadata: { name: broker }
stringData: { url: "mqtt://u:p@broker:1883" }
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: r }
`;
  const dev = startDev(makeProject(t, { "function.yaml": functionOnly + more, "index.mjs": good }), [
    "--json=false",
    ...freePorts,
  ]);
  t.after(() => dev.stop());
  await readyScreen(dev);

  assert.match(dev.stderr, /the Resiliency has no effect in this version/);
  assert.match(dev.stderr, /sink {2}bindings\.mqtt3 {2}embedded {2}mqtt:\/\/u:\*\*\*@127\.0\.0\.1/);
});

test("a declared broker that is not there: dev starts, says so, and connects when it comes", async (t) => {
  const port = await freePort();
  const files = {
    "function.yaml": yaml.replaceAll("emqx:1883", `127.0.0.1:${port}`),
    "index.mjs": "export const relay = (ctx, data) => console.log(data);",
  };
  const dev = startDev(makeProject(t, files), ["--brokers=declared", ...freePorts]);
  t.after(() => dev.stop());

  await dev.ready();
  const said = await dev.next("error");
  const broker = await startBroker({
    port: { port, explicit: true, flag: "--mqtt-port" },
    onNotice: () => undefined,
  });
  t.after(() => broker.stop());
  const outside = await connectOutside(broker.url);
  t.after(() => outside.stop());
  const subscribed = async () => {
    // Nobody is told when the function has subscribed: a message is repeated until one arrives.
    const arrived = dev.next("log");
    const repeat = setInterval(() => void outside.publish("in", '"hello"'), 100);
    await arrived;
    clearInterval(repeat);
  };
  await subscribed();

  assert.equal(said.data.code, "FF_BROKER_UNREACHABLE");
  assert.match(said.data.message, new RegExp(`admin:\\*\\*\\*@127\\.0\\.0\\.1:${port}`));
  assert.equal(dev.all("log")[0]?.data.text, "hello");
});
