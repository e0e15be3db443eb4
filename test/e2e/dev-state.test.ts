/** State and secrets of functions under dev: declared in the CR or by documents of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { freePorts, startDev } from "../support/dev";
import { functionYaml, makeProject } from "../support/project";
import { request } from "./support/http";

const serving = (states: object) => ({
  runtime: "knative",
  params: { FUNCTION_TARGET: "handle", FUNCTION_SIGNATURE_TYPE: "openfunction" },
  states,
});
const component = (name: string, type: string, metadata: Record<string, string> = {}) =>
  JSON.stringify({
    apiVersion: "dapr.io/v1alpha1",
    kind: "Component",
    metadata: { name },
    spec: {
      type,
      version: "v1",
      metadata: Object.entries(metadata).map(([key, value]) => ({ name: key, value })),
    },
  });

test("a function counts in a state store across its own death, and reads a secret", async (t) => {
  const project = makeProject(t, {
    "function.yaml": [
      functionYaml("counter", serving({ counts: { type: "state.in-memory", version: "v1" }, shared: {} })),
      component("shared", "state.in-memory"),
      component("vault", "secretstores.local.file", { secretsFile: "secrets.json" }),
    ].join("\n---\n"),
    "secrets.json": '{"db":{"password":"p"}}',
    "index.mjs": `export const handle = async (ctx, { die }) => {
      if (die) process.exit(3);
      const { data = 0, etag } = await ctx.state.getEntry("n") ?? {};
      await ctx.state.save({ key: "n", value: data + 1, etag });
      await ctx.state.save({ key: "n", value: "other" }, "shared");
      return [data + 1, await ctx.state.get("n", "shared"), await ctx.secrets.get("db:password")];
    };`,
  });
  const dev = startDev(project, freePorts);
  t.after(() => dev.stop());
  const { functions } = await dev.ready();
  const url = functions[0]?.url ?? "";
  const ask = (body: object) =>
    request(url, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });

  const before = [(await ask({})).json(), (await ask({})).json()];
  await ask({ die: true }).catch(() => undefined);
  await dev.next("reload");
  const after = (await ask({})).json();

  assert.deepEqual(before, [
    [1, "other", "p"],
    [2, "other", "p"],
  ]);
  assert.deepEqual(after, [3, "other", "p"]);
});

const mistakes: [what: string, documents: string[], code: string, message: RegExp][] = [
  [
    "a state nobody declares",
    [functionYaml("f", serving({ cart: {} }))],
    "FF_COMPONENT_UNKNOWN",
    /Nobody declares the component "cart"/,
  ],
  [
    "a state that is a binding",
    [functionYaml("f", serving({ cart: { type: "bindings.mqtt" } }))],
    "FF_MANIFEST_FIELD",
    /spec\.serving\.states\.cart\.type must begin with "state\."/,
  ],
  [
    "a state that names a component of another kind",
    [functionYaml("f", serving({ vault: {} })), component("vault", "secretstores.local.env")],
    "FF_MANIFEST_FIELD",
    /"secretstores\.local\.env", which is no state store/,
  ],
  [
    "a store that is not embedded",
    [functionYaml("f", serving({ cart: { type: "state.mongodb" } }))],
    "FF_COMPONENT_TYPE",
    /state\.mongodb/,
  ],
  [
    "a file of secrets that is not there",
    [
      functionYaml("f", serving({})),
      component("vault", "secretstores.local.file", { secretsFile: "gone.json" }),
    ],
    "FF_COMPONENT_METADATA",
    /"secretsFile".*cannot be read.*gone\.json/,
  ],
];
for (const [what, documents, code, message] of mistakes) {
  test(`${what}: exit 1 with code and sentence`, async (t) => {
    const project = makeProject(t, {
      "function.yaml": documents.join("\n---\n"),
      "index.mjs": "export const handle = () => {};",
    });

    const dev = startDev(project, freePorts);
    const { code: exit } = await dev.exited;

    assert.equal(exit, 1);
    assert.equal(dev.all("error")[0]?.data.code, code);
    assert.match(dev.all("error")[0]?.data.message ?? "", message);
  });
}
