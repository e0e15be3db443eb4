/** The main of a child process: serves one function where its parent says, and never outlives the parent. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { asFrameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { createLifecycle, exitCodes, type Lifecycle } from "../core/lifecycle";
import { configureLog, describeError, logError, throwProblems } from "../core/log";
import { logSettingsOf, readServeFlags } from "../core/read-flags";
import type { SourceRecorder } from "../loading/source-recorder";
import { serveFromFlags } from "../serving/from-flags";
import type { ListenAddress } from "../serving/listen";
import { channelNames, listen } from "../telemetry/channels";
import type { NewsItem, ParentMessage, WarmUp } from "./messages";
import { metricsOfAll, sharingFrom, takeConnections } from "./sharing";
import { removeSockets } from "./sockets";
import { tell } from "./tell";
import type { WatchdogData, WatchdogMessage } from "./watchdog";

const batchEvery = 20; // ms
const waitingAtMost = 1_000;

// The user's own process.disconnect() makes no orphan. For a moment a killed parent is still the parent.
function isOrphan(parent: number): boolean {
  for (let looks = 0; looks < 20 && process.ppid === parent; looks++)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); // ms
  return process.ppid !== parent;
}

async function main(): Promise<void> {
  process.cwd(); // throws in a folder that is gone, where no thread starts: Node would wait for one for ever
  const sharing = sharingFrom(process.env.FF_SHARING);
  // Ctrl-C and the end of a terminal reach the whole group: the parent decides what they mean.
  const lifecycle = createLifecycle({ signals: ["SIGTERM"] });
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const parent = parentPid();
  let socket = socketPath();
  let grace: number | undefined;
  process.on("message", (message: ParentMessage) => {
    if (message.type !== "drain") return;
    grace = message.grace;
    void lifecycle.stop("the parent asked for it");
  });
  const onOrphaned = () => {
    process.once("exit", () => socket !== undefined && isOrphan(parent) && removeSockets(socket));
    void lifecycle.stop("the parent is gone");
  };
  process.on("disconnect", onOrphaned);
  if (!process.connected) return onOrphaned();
  const { FF_SPARE: spare } = process.env;
  const watchdog = startWatchdog(onOrphaned);
  const sources = watchSources();
  if (spare !== undefined) {
    if (spare.includes("import")) sources?.beforeImport();
    await (lazyRequire("../instances/spare-worker.js") as typeof import("./spare-worker")).waitForBegin(
      spare,
    );
  }
  const address = listenAddress(process.env.FF_LISTEN);
  socket = socketPath();
  try {
    const flags = readServeFlags(process.argv.slice(2), process.env);
    const { values, problems } = flags;
    const settings = logSettingsOf("serve", values);
    configureLog(sharing?.startLines === "off" ? { ...settings, level: "error" } : settings);
    throwProblems(problems);
    watchdog({ grace: values["grace-period"] * 1000, socket }); // before the user's module, which may block for ever
    if (sharing) tellFirstAnswer();
    else passNewsOn(lifecycle);
    if (sharing) process.channel?.unref(); // what the module waits for in vain is seen by an empty event loop
    const running = await serveFromFlags({
      flags,
      lifecycle,
      env: process.env,
      address,
      gracePeriod: () => grace ?? values["grace-period"],
      metricsOfAll: sharing && metricsOfAll(lifecycle),
    });
    process.channel?.ref();
    configureLog(settings);
    if (sharing) takeConnections(running, lifecycle);
    sources?.flush(); // the parent knows all files before it says that it is ready
    tell({ type: "ready", address: running.address, functions: [...running.functions] });
  } catch (err) {
    sources?.flush();
    tell({ type: "failed", ...describeError(asFrameworkError(err)) }, () =>
      process.exit(exitCodes.cannotStart),
    );
  }
}

function socketPath(): string | undefined {
  const address = listenAddress(process.env.FF_LISTEN);
  return "path" in address ? address.path : undefined;
}

const parentPid = () => Number(process.env.FF_PARENT_PID ?? process.ppid);

/** `unix:PATH` or `tcp:HOST:PORT`; absent: any port of loopback. */
function listenAddress(text = "tcp:127.0.0.1:0"): ListenAddress {
  if (text.startsWith("unix:")) return { path: text.slice("unix:".length) };
  const [, host = "127.0.0.1", port = "0"] = /^tcp:(.+):(\d+)$/.exec(text) ?? [];
  return { host, port: Number(port) };
}

// All that the parent has to know of one that shares its port: it has answered something.
function tellFirstAnswer(): void {
  const stop = listen("invocation", (data) => {
    stop();
    tell({ type: "news", items: [{ channel: "invocation", data }] });
  });
}

// In batches; a parent that does not keep up loses news, never requests.
function passNewsOn(lifecycle: Lifecycle): void {
  let items: NewsItem[] = [];
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (items.length === 0) return;
    tell({ type: "news", items, ...(dropped > 0 && { dropped }) });
    items = [];
    dropped = 0;
  };
  for (const channel of channelNames) {
    listen(channel, (data) => {
      if (items.length >= waitingAtMost) dropped++;
      else items.push({ channel, data } as NewsItem);
      timer ??= setTimeout(flush, batchEvery);
    });
  }
  // What the last 20 ms brought also gets out when the user's code ends the process: a write to the channel is tried at once.
  process.once("exit", flush);
  lifecycle.onStop(async () => {
    flush();
    await new Promise<void>((resolve) =>
      process.connected
        ? process.send?.({ type: "news", items: [] }, undefined, undefined, () => resolve())
        : resolve(),
    );
  });
}

// Only where the parent watches them: it costs a little at every file.
function watchSources(): SourceRecorder | undefined {
  if (process.env.FF_WATCH !== "true") return undefined;
  const { recordSources } = lazyRequire(
    "../loading/source-recorder.js",
  ) as typeof import("../loading/source-recorder");
  const isAsync = () => /"runtime"\s*:\s*"async"/i.test(process.env.FUNC_CONTEXT ?? "");
  const needsOf = (): WarmUp[] => [
    isAsync() ? "deliver" : "serve",
    ...(recorder.hasTypeScript ? (["typescript"] as const) : []),
    ...(recorder.hasImports ? (["import"] as const) : []),
  ];
  const recorder = recordSources((news) => tell({ type: "sources", ...news, needs: needsOf() }));
  process.once("exit", recorder.flush);
  return recorder;
}

// A blocked event loop cannot see that the parent is gone: a thread looks for it. The returned function tells it more.
function startWatchdog(onOrphaned: () => void): (later: WatchdogMessage) => void {
  const workerData: WatchdogData = { parent: parentPid() };
  const thread = new Worker(join(__dirname, "watchdog.js"), { workerData });
  const say = (message: WatchdogMessage) => thread.postMessage(message);
  thread.on("message", () => {
    say("alive");
    onOrphaned();
  });
  thread.on("error", logError);
  thread.unref();
  return say;
}

void main();
