/** The control API of `dev`, and the file by which it is found. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";

import type { FunctionStatus } from "../../src/instances/status";
import { freePorts, startDev } from "../support/dev";
import { asyncFunctionYaml, httpFunctionYaml, makeProject } from "../support/project";
import { withDeadline } from "../support/wait";

const hello = {
  "function.yaml": httpFunctionYaml("hello", "hello"),
  "index.mjs": `export const hello = (req, res) => {
    if (req.path === "/fail") throw new Error("as asked");
    if (req.path === "/crash") process.exit(3);
    console.log("called " + req.path);
    res.send("hi");
  };`,
};

async function startProject(
  t: TestContext,
  {
    files = hello,
    args = [],
    env = {},
  }: { files?: Record<string, string>; args?: string[]; env?: NodeJS.ProcessEnv } = {},
) {
  const folder = makeProject(t, files);
  const dev = startDev(folder, [...freePorts, ...args], env);
  t.after(() => dev.stop("SIGKILL"));
  const { control, functions } = await dev.ready();
  return { dev, folder, control: control ?? "", functions, url: functions[0]?.url ?? "" };
}

type Row = FunctionStatus & { namespace: string };

async function get<T = { code?: string }>(url: string) {
  const res = await fetch(url);
  return { status: res.status, body: (await res.json()) as T };
}

async function post(url: string, body?: unknown) {
  const json = { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const res = await fetch(url, { method: "POST", ...(body !== undefined && json) });
  const text = await res.text();
  return { status: res.status, code: text === "" ? undefined : JSON.parse(text).code };
}

/** Follows NDJSON; the server has begun to tell when this resolves. */
async function follow(t: TestContext, url: string) {
  const req = request(url).end();
  const [res] = (await once(req, "response", { signal: AbortSignal.timeout(15_000) })) as [IncomingMessage];
  t.after(() => req.destroy());
  const reader = createInterface({ input: res })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await withDeadline(reader.next(), `a line of ${url}`);
    return done ? undefined : JSON.parse(value);
  };
}

/** Reads lines until one matches. */
async function until(next: () => Promise<unknown>, matches: (line: unknown) => boolean) {
  const lines: unknown[] = [];
  do lines.push(await next());
  while (lines.at(-1) !== undefined && !matches(lines.at(-1)));
  return lines as never;
}

test("it tells how the functions are", async (t) => {
  const files = {
    "a.yaml": httpFunctionYaml("hello", "hello"),
    "b.yaml": asyncFunctionYaml({ name: "relay", target: "relay" }),
    "index.mjs": `${hello["index.mjs"]} export const relay = () => {};`,
  };
  const { dev, control, functions, url } = await startProject(t, { files });
  await fetch(url);
  await fetch(`${url}/fail`);
  await dev.next("invocation", ({ data }) => data.outcome === "error");

  const { status, body: all } = await get<Row[]>(`${control}/v1/functions`);
  const { body: one } = await get<Row>(`${control}/v1/functions/hello`);
  const ready = await get(`${control}/status/ready`);

  assert.match(control, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(status, 200);
  assert.deepEqual(
    all.map(({ name, namespace, state, desired, waiting }) => [name, namespace, state, desired, waiting]),
    [
      ["hello", "default", "ready", 1, 0],
      ["relay", "default", "ready", 1, 0],
    ],
  );
  assert.deepEqual(one, all[0]);
  const [{ started, address, ...instance } = { started: null, address: null }] = one.instances;
  assert.match(address ?? "", /^unix:.*\.sock$/);
  assert.deepEqual(instance, {
    id: "hello-1",
    pid: functions[0]?.pid,
    state: "ready",
    inFlight: 0,
    restarts: 0,
  });
  assert.ok(Date.parse(started ?? "") > 0);
  const { ms, ...counters } = one.counters;
  assert.deepEqual(counters, { requests: 2, errors: 1, starts: 1, crashes: 0, restarts: 0 });
  assert.ok(ms > 0);
  assert.deepEqual(await get(`${control}/status`), { status: 200, body: { status: "ok" } });
  assert.deepEqual(ready, { status: 200, body: { status: "ok" } });
});

test("it tells why a function is not well", async (t) => {
  const { dev, control, url } = await startProject(t);

  await fetch(`${url}/crash`).catch(() => undefined);
  await dev.next("reload");
  const { body } = await get<Row>(`${control}/v1/functions/hello`);

  assert.equal(body.lastError?.code, "FF_INSTANCE_CRASHED");
  assert.equal(body.counters.crashes, 1);
  assert.equal(body.instances[0]?.restarts, 1);
});

test("a restart takes another process, at the same address, and tells it", async (t) => {
  const { dev, control, functions, url } = await startProject(t);

  const reply = await post(`${control}/v1/functions/hello/restart`);
  const reload = await dev.next("reload");
  const answer = await (await fetch(url)).text();

  assert.deepEqual(reply, { status: 202, code: undefined });
  assert.equal(reload.function, "hello");
  assert.equal(reload.data.reason, "a restart that was asked for");
  assert.notEqual(reload.data.pid, functions[0]?.pid);
  assert.equal(answer, "hi");
  assert.deepEqual(dev.all("error"), []);
});

test("a restart takes an async function back to its messages", async (t) => {
  const files = {
    "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "in" } }),
    "index.mjs": `export const relay = (ctx, data) => { console.log("got " + data); };`,
  };
  const { dev, control, functions } = await startProject(t, { files });

  await post(`${control}/v1/functions/relay/restart`);
  await dev.next("reload");
  await fetch(`${functions[0]?.sidecar}/v1.0/bindings/mqtt-out`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ operation: "create", data: "again" }),
  });
  const said = await dev.next("log");

  assert.equal(said.data.text, "got again");
});

test("a function is scaled to nothing and back", async (t) => {
  const { dev, control, url } = await startProject(t);
  const scale = (body: unknown) => post(`${control}/v1/functions/hello/scale`, body);

  const off = await scale({ instances: 0 });
  const { body: stopping } = await get<Row>(`${control}/v1/functions/hello`);
  const on = await scale({ instances: 1 });
  await dev.next("reload");

  assert.equal(off.status, 202);
  assert.equal(stopping.desired, 0);
  assert.notEqual(stopping.state, "ready");
  assert.equal(on.status, 202);
  assert.equal(await (await fetch(url)).text(), "hi");
  assert.deepEqual(dev.all("error"), []);
});

test("a function that is wanted again while it still answers: that answer is finished, and another takes its address", async (t) => {
  const files = {
    ...hello,
    "index.mjs": `export const hello = (req, res) => {
      console.log("called");
      res.write("slow");
      process.once("SIGUSR2", () => res.end());
    };`,
  };
  const { dev, control, functions, url } = await startProject(t, { files });
  const answer = await fetch(url);
  await dev.next("log");

  await post(`${control}/v1/functions/hello/scale`, { instances: 0 });
  await post(`${control}/v1/functions/hello/scale`, { instances: 1 });
  const draining = await get<Row>(`${control}/v1/functions/hello`);
  process.kill(functions[0]?.pid ?? 0, "SIGUSR2");
  const reload = await dev.next("reload");

  assert.equal(await answer.text(), "slow");
  assert.ok(draining.body.instances.some(({ state }) => state === "draining"));
  assert.notEqual(reload.data.pid, functions[0]?.pid);
  assert.deepEqual(dev.all("error"), []);
});

test("what cannot be is refused with its code", async (t) => {
  const { control } = await startProject(t);
  const scale = "/v1/functions/hello/scale";

  for (const [path, body, expected] of [
    [scale, { instances: 2 }, "422 FF_INSTANCE_SCALE"],
    [scale, { instances: -1 }, "422 FF_INSTANCE_SCALE"],
    [scale, { instances: 0.5 }, "422 FF_INSTANCE_SCALE"],
    [scale, { instances: "1" }, "422 FF_CONTROL_FIELD"],
    [scale, [1], "422 FF_CONTROL_FIELD"],
    [scale, undefined, "422 FF_CONTROL_FIELD"],
    ["/v1/functions/hallo/scale", { instances: 1 }, "404 FF_CONTROL_FUNCTION_UNKNOWN"],
    ["/v1/functions/hallo/restart", undefined, "404 FF_CONTROL_FUNCTION_UNKNOWN"],
  ] as const) {
    const { status, code } = await post(control + path, body);
    assert.equal(`${status} ${code}`, expected, `${path} ${JSON.stringify(body)}`);
  }
  for (const [path, expected] of [
    ["/v1/functions/hallo", "404 FF_CONTROL_FUNCTION_UNKNOWN"],
    ["/v1/functions/hallo/logs", "404 FF_CONTROL_FUNCTION_UNKNOWN"],
    ["/v1/functions/hello/logs?tail=all", "422 FF_CONTROL_FIELD"],
    ["/v1/functions/hello/logs?tail=-1", "422 FF_CONTROL_FIELD"],
    ["/v1/functions/hello/logs?follow=perhaps", "422 FF_CONTROL_FIELD"],
    ["/v1", "404 FF_PATH_NOT_FOUND"],
  ] as const) {
    const { status, body } = await get(control + path);
    assert.equal(`${status} ${body.code}`, expected, path);
  }
});

test("only this machine is served", async (t) => {
  const { control } = await startProject(t);
  const ask = async (headers: Record<string, string>) => {
    const req = request(`${control}/v1/functions`, { headers }).end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.resume();
    return res.statusCode;
  };

  assert.equal(await ask({ Host: "example.com" }), 403);
  assert.equal(await ask({ Origin: "https://example.com" }), 403);
  assert.equal(await ask({ Host: `localhost:${new URL(control).port}` }), 200);
});

test("logs are the last lines, and with follow those that come", async (t) => {
  const { dev, control, url } = await startProject(t);
  for (const path of ["a", "b", "c"]) await fetch(`${url}/${path}`);
  await dev.next("log", ({ data }) => data.text === "called /c");
  const texts = (lines: string) =>
    lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).text);
  const logs = `${control}/v1/functions/hello/logs`;

  const all = await (await fetch(logs)).text();
  const last = await (await fetch(`${logs}?tail=2`)).text();
  const none = await (await fetch(`${logs}?tail=0`)).text();
  const next = await follow(t, `${logs}?follow&tail=1`);
  const first = await next();
  await fetch(`${url}/d`);
  const fresh = await next();

  assert.deepEqual(texts(all), ["called /a", "called /b", "called /c"]);
  assert.deepEqual(texts(last), ["called /b", "called /c"]);
  assert.equal(none, "");
  assert.equal(first.text, "called /c");
  assert.deepEqual(
    { ...fresh, ts: "" },
    { ts: "", instance: "hello-1", stream: "stdout", text: "called /d" },
  );
  assert.ok(Date.parse(fresh.ts) > 0);
});

test("events are the objects of --json, from the first to the end, without that flag too", async (t) => {
  const { folder, temp } = foldersWithTemp(t, hello);
  const dev = startDev(folder, [...freePorts, "--json=false"], { TMPDIR: temp });
  t.after(() => dev.stop("SIGKILL"));
  const { control } = await stateWhenReady(dev, temp);
  const next = await follow(t, `${control}/v1/events`);

  await fetch(`${/function {2}(http\S+)/.exec(dev.stderr)?.[1]}/x`);
  const lines: { event: string; function?: string; data: Record<string, unknown> }[] = await until(
    next,
    (line) => (line as { event: string }).event === "invocation",
  );
  const stop = dev.stop();
  const end = await next();
  const afterEnd = await next();

  assert.deepEqual(
    lines.map(({ event, function: name }) => [event, name]),
    [
      ["log", "hello"],
      ["invocation", "hello"],
    ],
  );
  assert.deepEqual(lines[0]?.data, { stream: "stdout", text: "called /x" });
  assert.equal(lines[1]?.data.outcome, "ok");
  assert.equal(end.event, "stopped");
  assert.equal(afterEnd, undefined);
  assert.equal(await stop, 0);
});

test("it is not ready while it drains, and ends those who follow", async (t) => {
  const files = {
    ...hello,
    "index.mjs": `export const hello = (req, res) => { res.write("slow"); process.once("SIGUSR2", () => res.end()); };`,
  };
  const { dev, control, functions, url } = await startProject(t, { files });
  const next = await follow(t, `${control}/v1/functions/hello/logs?follow`);
  const answer = await fetch(url);

  dev.child.kill("SIGTERM");
  let ready = await get(`${control}/status/ready`);
  while (ready.status === 200) ready = await get(`${control}/status/ready`);
  process.kill(functions[0]?.pid ?? 0, "SIGUSR2");

  assert.deepEqual(ready, { status: 503, body: { status: "stopping" } });
  assert.equal(await answer.text(), "slow");
  assert.equal(await next(), undefined);
  assert.equal((await dev.exited).code, 0);
});

function foldersWithTemp(t: TestContext, files: Record<string, string>) {
  const temp = mkdtempSync(join(realpathSync(tmpdir()), "temp-"));
  t.after(() => rmSync(temp, { recursive: true, force: true }));
  return { folder: makeProject(t, files), temp };
}

const stateFiles = (temp: string) => readdirSync(temp).filter((name) => name.endsWith(".json"));

function readState(temp: string) {
  const [name = ""] = stateFiles(temp);
  return JSON.parse(readFileSync(join(temp, name), "utf8"));
}

/** For people the screen says when it is ready. */
async function stateWhenReady(dev: ReturnType<typeof startDev>, temp: string) {
  const stream = dev.child.stderr as NodeJS.ReadableStream;
  const signal = AbortSignal.timeout(15_000);
  while (!dev.stderr.includes("Ready.")) await once(stream, "data", { signal });
  assert.match(dev.stderr, /^ {2}control {2}http:\/\/127\.0\.0\.1:\d+$/m);
  return readState(temp);
}

test("the state file is there when it is ready, private, and gone at the stop", async (t) => {
  const { folder, temp } = foldersWithTemp(t, hello);
  const dev = startDev(folder, freePorts, { TMPDIR: temp });
  t.after(() => dev.stop("SIGKILL"));
  const { control } = await dev.ready();

  const state = readState(temp);
  const { mode } = statSync(join(temp, stateFiles(temp)[0] ?? ""));
  const code = await dev.stop();

  assert.deepEqual(state, { pid: dev.child.pid, control, version: version() });
  assert.equal(mode & 0o777, 0o600);
  assert.equal(code, 0);
  assert.deepEqual(stateFiles(temp), []);
});

test("a file that a killed one has left is taken over; that of a living one too, which is said", async (t) => {
  const { folder, temp } = foldersWithTemp(t, hello);
  const start = (...args: string[]) => {
    const dev = startDev(folder, [...freePorts, ...args], { TMPDIR: temp });
    t.after(() => dev.stop("SIGKILL"));
    return dev;
  };
  const killed = start();
  await killed.ready();
  await killed.stop("SIGKILL");

  const left = readState(temp);
  const second = start("--json=false");
  const ofSecond = await stateWhenReady(second, temp);
  const third = start("--json=false");
  const ofThird = await stateWhenReady(third, temp);
  await second.stop();
  const afterSecond = readState(temp);

  assert.equal(left.pid, killed.child.pid);
  assert.equal(ofSecond.pid, second.child.pid);
  assert.doesNotMatch(second.stderr, /runs for this folder too/);
  assert.equal(ofThird.pid, third.child.pid);
  assert.match(third.stderr, new RegExp(`Process ${second.child.pid} runs for this folder too`));
  assert.deepEqual(afterSecond, ofThird);
});

test("a temp folder that cannot be written is told, and all else works", async (t) => {
  const dev = startDev(makeProject(t, hello), freePorts, { TMPDIR: join(tmpdir(), "not", "there") });
  t.after(() => dev.stop("SIGKILL"));

  const { control } = await dev.ready();
  await dev.next("error");
  const { status } = await get(`${control}/status/ready`);

  const told = dev.events.map((one) => (one.event === "error" ? one.data.code : one.event));
  assert.deepEqual(told, ["ready", "FF_STATE_FILE"]);
  assert.equal(status, 200);
});

function version(): string {
  return JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8")).version;
}
