/** The same fixture served by Google's framework and by ours, each in a process of its own. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { type Ending, spawnFramework } from "../../e2e/support/framework";
import { createProject, installCopy, linkDependencies } from "../../e2e/support/projects";
import { until } from "../../support/wait";
import { type Answer, type Exchange, exchange } from "./exchange";

const fixtures = resolve(__dirname, "../../fixtures");
const theirPackage = resolve(__dirname, "../../peers/node_modules/@google-cloud/functions-framework");
const announcer = resolve(__dirname, "../../e2e/support/announce-port.cjs");
const names = ["@google-cloud/functions-framework", "@openfunction/functions-framework"];

export type Side = "theirs" | "ours";

export interface Setting {
  /** Folder of test/fixtures. */
  fixture: string;
  args?: string[];
  env?: Record<string, string>;
}

/** All fixtures, once per side: under both names of the package stands that side's framework. */
export async function makeSides() {
  const project = await createProject({});
  for (const side of ["theirs", "ours"] as const) {
    const folder = join(project.folder, side);
    // Times too: they are in Last-Modified.
    await cp(fixtures, folder, { recursive: true, preserveTimestamps: true });
    await linkDependencies(folder);
    for (const name of names) {
      if (side === "ours") await installCopy(folder, name);
      else await link(theirPackage, join(folder, "node_modules", name));
    }
  }
  return project;
}

/** A server that is started when it is asked for, and again when a request has ended it. */
export function createServer(side: Side, folder: string, { fixture, args = [], env = {} }: Setting) {
  const project = join(folder, side, fixture);
  const base = side === "theirs" ? [join(theirPackage, "build/src/main.js")] : [];
  let running: Running | undefined;
  let starting: Promise<Running | Ending> | undefined;

  async function start(): Promise<Running | Ending> {
    const child = spawnFramework([...base, ...args], {
      project,
      env: { PORT: "0", NODE_OPTIONS: `--require=${announcer}`, ...env },
      ...(side === "theirs" && { command: process.execPath }),
    });
    const portOf = () => /^listening on port (\d+|undefined)/m.exec(child.stderr)?.[1];
    await until(() => portOf() !== undefined || child.hasEnded(), child.news, "news", `${side} listens`);
    if (portOf() === undefined) return child.ended();
    running = { port: Number(portOf()), child }; // NaN: on a UNIX socket
    return running;
  }

  /** Several may ask at once: they get the same one. */
  async function server(): Promise<Running | undefined> {
    if (running && !running.child.hasEnded()) return running;
    starting ??= start().finally(() => {
      starting = undefined;
    });
    await starting;
    return running;
  }

  return {
    /** How a start ends. */
    async started(): Promise<string> {
      const result = await start();
      if ("code" in result) return `exit ${result.code ?? result.signal}`;
      return Number.isNaN(result.port) ? "listens on a socket file" : "listens";
    },
    async ask(asked: Exchange, deadline: number): Promise<Answer> {
      const current = await server();
      if (!current) return { end: "no server", headers: [], body: Buffer.alloc(0) };
      const answer = await exchange(current.port, asked, deadline);
      if (answer.end === "reset") answer.end = await endingOf(current.child);
      const text = answer.body.toString("latin1");
      if (text.includes(project)) answer.body = Buffer.from(text.replaceAll(project, "PROJECT"), "latin1");
      return answer;
    },
    /** At once: a request that hangs must not hold up the end. */
    async stop(): Promise<void> {
      running?.child.kill("SIGKILL");
      await running?.child.ended();
    },
  };
}

type Child = ReturnType<typeof spawnFramework>;
interface Running {
  port: number;
  child: Child;
}

/** The process may have died of the request; its end is then what the request has come to. */
async function endingOf(child: Child): Promise<string> {
  await until(child.hasEnded, child.news, "news", "the process ends", 2_000).catch(() => undefined);
  if (!child.hasEnded()) return "reset";
  const { code, signal } = await child.ended();
  return `exit ${code ?? signal}`;
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}
