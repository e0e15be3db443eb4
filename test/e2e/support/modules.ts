/** Modules that a test writes down itself, served by the command. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";

import { makeProject } from "../../support/project";
import { type Framework, startFramework } from "./framework";

const root = resolve(__dirname, "../../..");

/** A temp project with the given files, in which the package is installed. */
export function makeUserProject(t: TestContext, files: Record<string, string>): string {
  const folder = makeProject(t, files);
  mkdirSync(join(folder, "node_modules/@openfunction"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/@openfunction/functions-framework"));
  symlinkSync(join(root, "node_modules/express"), join(folder, "node_modules/express"));
  return folder;
}

export interface ModuleOptions {
  env?: Record<string, string>;
  /** More files of the project, by path. */
  files?: Record<string, string>;
  /** Default: CommonJS. */
  file?: "index.js" | "index.mjs";
}

/** Serves a module until the test ends. */
export async function startModule(
  t: TestContext,
  source: string,
  args: string[] = [],
  { env = {}, files = {}, file = "index.js" }: ModuleOptions = {},
): Promise<Framework> {
  const project = makeUserProject(t, { [file]: source, ...files });
  const framework = await startFramework(args, { project, env });
  t.after(() => framework.stop());
  return framework;
}

const inputs = {
  orders: { componentName: "queue", componentType: "bindings.mqtt3" },
  created: { componentName: "stream", componentType: "pubsub.redis", uri: "invoices/created" },
};

/** FUNC_CONTEXT of an asynchronous function with the binding `queue` and the topic `invoices/created`. */
export function asyncContext(more: object = {}): { FUNC_CONTEXT: string } {
  return { FUNC_CONTEXT: JSON.stringify({ name: "invoices", runtime: "Async", inputs, ...more }) };
}
