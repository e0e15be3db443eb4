/** Modules that a test writes down itself, served by the command. */
import type { TestContext } from "node:test";

import { type Framework, startFramework } from "./framework";
import { createProject, linkPackage } from "./projects";

/** A temp project with the given files, in which the package and Express are installed, until the test ends. */
export async function makeUserProject(t: TestContext, files: Record<string, string>): Promise<string> {
  const { folder, remove } = await createProject(files);
  t.after(remove);
  await linkPackage(folder);
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
  const project = await makeUserProject(t, { [file]: source, ...files });
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
