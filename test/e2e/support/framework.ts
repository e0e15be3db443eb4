/** The command as users start it: the bin in a process of its own, on any free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join, resolve } from "node:path";

import { until, withDeadline } from "../../support/wait";

const root = resolve(__dirname, "../../..");
const bin = join(root, "bin/functions-framework.js");
const announcer = join(__dirname, "announce-port.cjs");

export interface FrameworkOptions {
  /** Working folder: a folder of test/fixtures, or an absolute path. */
  project: string;
  /** Added to nothing but PATH, HOME and the temp folder: the tests' own environment stays out. */
  env?: Record<string, string>;
  /** The file to execute. Default: the package's bin, run by this Node. */
  command?: string;
  /** Characters of stdout and of stderr that are remembered, the last ones. Default: all. */
  keep?: number;
  /** Sees all of stdout, as it comes. */
  onStdout?: (text: string) => void;
  /** Sees all of stderr, as it comes. */
  onStderr?: (text: string) => void;
}

/** How a process ended, and all it wrote. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** One line of the framework's log. */
export interface LogLine {
  level: string;
  message: string;
  code?: string;
  hint?: string;
  stack?: string;
  place?: string;
}

export interface Framework {
  readonly port: number;
  readonly pid: number;
  /** Without the final slash. */
  readonly url: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of stderr that are JSON. */
  logs(): LogLine[];
  /** Resolves when the text has appeared on stdout or stderr. */
  says(text: string): Promise<void>;
  hasEnded(): boolean;
  /** A line for the function's stdin. */
  tell(line: string): void;
  kill(signal: NodeJS.Signals): void;
  /** Reads nothing of stdout and stderr until the returned function is called. */
  holdOutput(): () => void;
  /** Goes away as the reader of stdout and stderr. */
  closeOutput(): void;
  ended(): Promise<Ending>;
  /** SIGTERM, and the end; SIGKILL when it does not come. Twice is fine. */
  stop(): Promise<Ending>;
}

/** Starts and waits until it listens: for the banner, or under NODE_ENV=production, which prints none, for the socket. */
export async function startFramework(
  args: string[],
  options: FrameworkOptions,
): Promise<Framework & { readonly news: EventEmitter }> {
  const isProduction = options.env?.NODE_ENV === "production";
  const port = options.env?.PORT === undefined ? ["--port=0"] : [];
  const started = spawnFramework([...args, ...port], {
    ...options,
    env: { ...options.env, ...(isProduction && { NODE_OPTIONS: `--require=${announcer}` }) },
  });
  const listening = /(?:^URL: http:\/\/localhost:|^listening on port )(\d+)/m;
  const portOf = () => listening.exec(isProduction ? started.stderr : started.stdout)?.[1];
  await until(
    () => portOf() !== undefined || started.hasEnded(),
    started.news,
    "news",
    "the function listens",
  );
  if (portOf() === undefined) {
    const { code, stdout, stderr } = await started.ended();
    throw new Error(`The framework ended with ${code} before it listened:\n${stdout}${stderr}`);
  }
  return Object.assign(started, { port: Number(portOf()), url: `http://127.0.0.1:${portOf()}` });
}

/** Runs to the end. */
export async function runFramework(args: string[], options: FrameworkOptions): Promise<Ending> {
  const started = spawnFramework(args, options);
  try {
    return await started.ended();
  } catch (err) {
    await started.stop();
    throw err;
  }
}

/** Starts and waits for nothing. */
export function spawnFramework(args: string[], options: FrameworkOptions) {
  const { project, env = {}, command, keep = Number.POSITIVE_INFINITY, onStdout, onStderr } = options;
  const { PATH = "", HOME = "", TMPDIR = "" } = process.env;
  const child: ChildProcess = spawn(command ?? process.execPath, command ? args : [bin, ...args], {
    cwd: resolve(__dirname, "../../fixtures", project),
    env: { PATH, HOME, TMPDIR, ...env },
    stdio: "pipe",
  });
  const news = new EventEmitter().setMaxListeners(0);
  const written = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      written[stream] = (written[stream] + text).slice(-keep);
      (stream === "stdout" ? onStdout : onStderr)?.(text);
      news.emit("news");
    });
  }
  child.stdin?.on("error", () => undefined); // the process may be gone before it read everything
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  closed.then(() => news.emit("news"), undefined);

  const started = {
    news,
    pid: child.pid ?? 0,
    hasEnded: () => !isRunning(),
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    logs: () => logLines(written.stderr),
    says: (text: string) =>
      until(
        () => written.stdout.includes(text) || written.stderr.includes(text),
        news,
        "news",
        `"${text}" appears`,
      ),
    tell: (line: string) => void child.stdin?.write(`${line}\n`),
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    holdOutput() {
      for (const stream of [child.stdout, child.stderr]) stream?.pause();
      return () => {
        for (const stream of [child.stdout, child.stderr]) stream?.resume();
      };
    },
    closeOutput: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    async ended(): Promise<Ending> {
      const [code, signal] = await withDeadline(closed, "the process ends");
      return { code, signal, ...written };
    },
    async stop(): Promise<Ending> {
      if (isRunning()) child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      try {
        return await started.ended();
      } finally {
        clearTimeout(killer);
      }
    },
  };
  return started;
}

/** The lines of a log that are JSON objects; other text on stderr is the user's or Node's. */
export function logLines(stderr: string): LogLine[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}
