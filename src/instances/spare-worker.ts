/** The waiting of a spare worker: the framework is loaded, the user's code is not. */
import { createRequire } from "node:module";

import { lazyRequire } from "../core/lazy";
import { warmUpTransformer } from "../loading/typescript-transform";
import { loadExpress } from "../serving/express";
import { replaceEnvironment } from "./environment";
import type { ParentMessage, WarmUp } from "./messages";

/** Resolves when the process is what its parent would otherwise have started. */
export async function waitForBegin(wanted: string): Promise<void> {
  const begun = new Promise<Extract<ParentMessage, { type: "begin" }>>((resolve) => {
    const receive = (message: ParentMessage) => {
      if (message.type !== "begin") return;
      process.off("message", receive);
      resolve(message);
    };
    process.on("message", receive);
  });
  const needs = wanted.split(",") as WarmUp[];
  for (const [need, warmUp] of Object.entries(warmUps)) if (needs.includes(need as WarmUp)) await warmUp();
  const { env, folder } = await begun;
  replaceEnvironment(env);
  if (process.cwd() !== folder) process.chdir(folder);
}

const emptyModule: string = "data:text/javascript,";
const load = createRequire(__filename);

// None of them may look into the user's folder: Node and the transformer remember what they have read.
const warmUps: Record<WarmUp, () => unknown> = {
  serve: () => loadExpress(),
  deliver: () => lazyRequire("undici/lib/dispatcher/pool.js"),
  typescript() {
    load("../loading/typescript.js");
    lazyRequire("get-tsconfig");
    warmUpTransformer();
  },
  import: () => import(emptyModule), // Node makes its loader at the first one
};
