/** Modules that a test writes down itself, served by the command. */
import type { TestContext } from "node:test";

import { type Ending, type Framework, runFramework, startFramework } from "./framework";
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

/** Runs a script of the user's, which serves by itself, until the test ends. */
export async function startScript(
  t: TestContext,
  source: string,
  { env = {}, files = {}, file = "index.js" }: ModuleOptions = {},
): Promise<Framework> {
  const project = await makeUserProject(t, { [file]: source, ...files });
  const script = await startFramework([file], {
    project,
    env: { PORT: "0", ...env },
    command: process.execPath,
  });
  t.after(() => script.stop());
  return script;
}

/** Runs a script of the user's to its end. */
export async function runScript(
  t: TestContext,
  source: string,
  { env = {}, files = {}, file = "index.js" }: ModuleOptions = {},
): Promise<Ending> {
  const project = await makeUserProject(t, { [file]: source, ...files });
  return runFramework([file], { project, env: { PORT: "0", ...env }, command: process.execPath });
}
