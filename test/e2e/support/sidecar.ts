/** A function of runtime Knative beside a sidecar: each POST calls it, and what it returns is the answer. */
import type { TestContext } from "node:test";

import type { ComponentSpec } from "../../../src/local/components/component";
import { type Runtime, startRuntime } from "../../../src/local/runtime";
import { makeProject } from "../../support/project";
import { startFramework } from "./framework";
import { request } from "./http";

const anyPort = { port: 0, explicit: false, flag: "--port" };

/** The local runtime with these components; no app behind it. */
export async function startLocal(t: TestContext, components: Partial<ComponentSpec>[]): Promise<Runtime> {
  const runtime = await startRuntime({
    function: "f",
    appId: "f-default",
    components: components.map((one) => ({ name: "", type: "", version: "v1", metadata: {}, ...one })),
    port: anyPort,
    onNotice: () => undefined,
  });
  t.after(() => runtime.stop());
  return runtime;
}

export interface Beside {
  /** ES module that exports `handle`. */
  module: string;
  /** Of the sidecar. */
  port: number;
  context?: object;
  env?: Record<string, string>;
}

export async function startBeside(t: TestContext, { module, port, context = {}, env = {} }: Beside) {
  const project = makeProject(t, { "index.mjs": module, "package.json": '{"main":"index.mjs"}' });
  const framework = await startFramework(["--target=handle", "--signature-type=openfunction"], {
    project,
    env: {
      FUNC_CONTEXT: JSON.stringify({ name: "f", runtime: "Knative", ...context }),
      DAPR_HTTP_PORT: String(port),
      ...env,
    },
  });
  t.after(() => framework.stop());
  const post = (data: unknown, headers: Record<string, string> = {}) =>
    request(framework.url, {
      method: "POST",
      body: JSON.stringify(data) ?? "",
      headers: { "Content-Type": "application/json", ...headers },
    });
  return { framework, post };
}

/** A module whose function runs the code of each request with `ctx`, and tells what came of it: a value or an error. */
export const anyCode = `const AsyncFunction = (async () => {}).constructor;
export const handle = async (ctx, { code }) => {
  try {
    return { value: await new AsyncFunction("ctx", code)(ctx) ?? null };
  } catch (err) {
    return { code: err.code, message: err.message, cause: err.cause && { ...err.cause }, results: err.results };
  }
};`;
