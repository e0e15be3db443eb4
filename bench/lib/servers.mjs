// How each server of a row is started.
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Our framework with a function of functions/. */
export function ours(args, options) {
  return {
    name: "ours",
    command: [path("../../bin/functions-framework.js"), ...withSource(args)],
    ...options,
  };
}

/** Our hop in front of the row's upstream. */
export function hop() {
  return { name: "ours", command: [path("../functions/hop.cjs")] };
}

/** Google's framework with a function of functions/. */
export function google(args) {
  const main = path("../node_modules/@google-cloud/functions-framework/build/src/main.js");
  return {
    name: "google",
    package: "@google-cloud/functions-framework",
    command: [main, ...withSource(args)],
  };
}

/** A file of peers/. */
export function script(name, file, options) {
  return { name, command: [path(`../peers/${file}`)], ...options };
}

/** A TypeScript file of peers/, run by tsx. */
export function typescript(name, file, options) {
  const loader = new URL("../node_modules/tsx/dist/loader.mjs", import.meta.url).href;
  return { name, package: "tsx", command: [`--import=${loader}`, path(`../peers/${file}`)], ...options };
}

function withSource(args) {
  return args.map((arg) => arg.replace(/^--source=/, `--source=${path("../functions/")}`));
}
