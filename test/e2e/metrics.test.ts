/** `--metrics`: Prometheus text that is right line by line, and right after what has happened. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import type { Framework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const module = `
  const functions = require("@openfunction/functions-framework");
  exports.serve = async (req, res) => {
    if (req.path === "/throws") throw new Error("no luck");
    if (req.path === "/503") return void res.status(503).send("own");
    if (req.path === "/404") return void res.status(404).send("own");
    if (req.path === "/waits") {
      console.log("waiting");
      await new Promise((resolve) => process.stdin.once("data", resolve));
    }
    if (req.path === "/leaves") return console.log("waiting for ever");
    res.send("called");
  };
  functions.typed("typed", (request) => request);
  exports.handle = (ctx, { fails }) => { if (fails) throw new Error("no luck"); };`;

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|[+]Inf|NaN|Nan)$/;
const labelPair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;

/** Reads the text exposition format strictly: a line that breaks its rules fails the test. */
function parse(text: string): Sample[] {
  assert.ok(text.endsWith("\n"), "the last line ends");
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || /^# HELP [a-zA-Z_:][\w:]* .+$/.test(line)) continue;
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type) {
      assert.ok(!types.has(type[1] as string), `declared once: ${line}`);
      types.set(type[1] as string, type[2] as string);
      continue;
    }
    const [, name = "", labels = "", value = ""] = sampleLine.exec(line) ?? [];
    assert.notEqual(name, "", `a sample: ${line}`);
    const base = types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "");
    assert.ok(types.has(base), `declared before: ${line}`);
    samples.push({
      name,
      labels: parseLabels(labels, line),
      value: Number(value.replace("Inf", "Infinity")),
    });
  }
  const keys = samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
  assert.equal(new Set(keys).size, keys.length, "every sample once");
  return samples;
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  let end = 0;
  for (let pair = labelPair.exec(text); pair; pair = labelPair.exec(text)) {
    labels[pair[1] as string] = pair[2] as string;
    end = labelPair.lastIndex;
  }
  assert.equal(end, text.length, `labels: ${line}`);
  return labels;
}

async function scrape({ url }: Framework): Promise<Sample[]> {
  const reply = await request(`${url}/metrics`);
  assert.equal(reply.status, 200);
  assert.match(reply.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4; charset=utf-8$/);
  return parse(reply.text);
}

function valuesOf(samples: Sample[], name: string): [labels: Record<string, string>, value: number][] {
  return samples.filter((sample) => sample.name === name).map(({ labels, value }) => [labels, value]);
}

describe("metrics", { concurrency: 3 }, () => {
  test("every line is valid, before and after invocations", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics"]);

    const before = await scrape(framework);
    for (const path of ["/", "/throws", "/404"]) await request(framework.url + path);
    const after = await scrape(framework);

    assert.deepEqual(valuesOf(before, "faas_invocations_total"), []);
    const names = new Set(after.map(({ name }) => name));
    for (const name of ["process_cpu_seconds_total", "nodejs_eventloop_lag_seconds", "nodejs_version_info"])
      assert.ok(names.has(name), name);
    const [[, coldStart] = []] = valuesOf(after, "faas_coldstart_duration_seconds");
    assert.ok(coldStart !== undefined && coldStart > 0 && coldStart < 60, `${coldStart}`);
  });

  test("ended and failed invocations are counted, and their time measured", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics", "--health"]);
    const labels = { function: "serve", signature: "http" };

    for (let count = 0; count < 5; count++) await request(`${framework.url}/ok`);
    for (let count = 0; count < 3; count++) await request(`${framework.url}/throws`);
    await request(`${framework.url}/503`);
    await request(`${framework.url}/404`);
    for (const path of ["/health/liveness", "/favicon.ico", "/metrics"]) await request(framework.url + path);
    const samples = await scrape(framework);

    assert.deepEqual(valuesOf(samples, "faas_invocations_total"), [[labels, 10]]);
    assert.deepEqual(valuesOf(samples, "faas_errors_total"), [[labels, 4]]);
    assert.deepEqual(valuesOf(samples, "faas_invoke_duration_seconds_count"), [[labels, 10]]);
    const buckets = valuesOf(samples, "faas_invoke_duration_seconds_bucket");
    assert.deepEqual(buckets.at(-1), [{ le: "+Inf", ...labels }, 10]);
    const counts = buckets.map(([, value]) => value);
    assert.deepEqual(
      counts,
      [...counts].sort((one, other) => one - other),
      "buckets include those below",
    );
  });

  test("a client that leaves is a failed invocation", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics"]);
    const socket = connect(framework.port, "127.0.0.1");
    socket.write("GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n");
    await framework.says("waiting for ever\n");

    socket.destroy();
    await once(socket, "close");
    await request(`${framework.url}/ok`); // the server learns of it before it accepts this connection
    const samples = await scrape(framework);

    assert.equal(valuesOf(samples, "faas_invocations_total")[0]?.[1], 2);
    assert.equal(valuesOf(samples, "faas_errors_total")[0]?.[1], 1);
    assert.equal(valuesOf(samples, "faas_invocations_in_flight")[0]?.[1], 0);
  });

  test("a body that cannot be read is a failed invocation", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics"]);

    const json = { "Content-Type": "application/json" };
    const reply = await request(framework.url, { method: "POST", headers: json, body: "{" });
    const samples = await scrape(framework);

    assert.equal(reply.status, 400);
    assert.equal(valuesOf(samples, "faas_errors_total")[0]?.[1], 1);
  });

  test("what is under way is in flight, until it ends", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics"]);
    const inFlight = async () => valuesOf(await scrape(framework), "faas_invocations_in_flight");

    const pending = request(`${framework.url}/waits`);
    await framework.says("waiting\n");
    const during = await inFlight();
    framework.tell("go on");
    await pending;

    assert.deepEqual(during, [[{}, 1]]);
    assert.deepEqual(await inFlight(), [[{}, 0]]);
  });

  test("labels are those of the functions that are served, whatever is asked", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--metrics"]);

    for (let count = 0; count < 100; count++)
      await request(`${framework.url}/path-${count}?q=${count}`, {
        method: count % 2 ? "POST" : "PURGE",
        headers: { "Function-Execution-Id": `id-${count}`, Host: `host-${count}` },
      });
    const samples = await scrape(framework);

    assert.deepEqual(valuesOf(samples, "faas_invocations_total"), [
      [{ function: "serve", signature: "http" }, 100],
    ]);
    assert.doesNotMatch(JSON.stringify(samples), /path-|id-\d|host-/);
  });

  test("invocations of other signatures are counted under theirs", async (t) => {
    const framework = await startModule(t, module, ["--target=typed", "--metrics"]);

    await postJson(framework.url, { a: 1 });
    const samples = await scrape(framework);

    assert.deepEqual(valuesOf(samples, "faas_invocations_total"), [
      [{ function: "typed", signature: "typed" }, 1],
    ]);
  });

  test("deliveries are counted, those that are to come again as failed", async (t) => {
    const framework = await startModule(t, module, ["--target=handle", "--metrics"], { env: asyncContext() });
    const event = (data: object) => ({ id: "1", source: "/", type: "t", specversion: "1.0", data });
    const route = announcedRoute("stream", "invoices/created");
    const labels = { function: "handle", signature: "openfunction" };

    await postJson(`${framework.url}/queue`, {});
    await postJson(`${framework.url}/queue`, { fails: true });
    await postJson(framework.url + route, event({}));
    await postJson(framework.url + route, event({ fails: true }));
    await request(`${framework.url}/dapr/config`);
    const samples = await scrape(framework);

    assert.deepEqual(valuesOf(samples, "faas_invocations_total"), [[labels, 4]]);
    assert.deepEqual(valuesOf(samples, "faas_errors_total"), [[labels, 2]]);
    assert.deepEqual(valuesOf(samples, "faas_invocations_in_flight"), [[{}, 0]]);
  });

  test("GET and HEAD alone, exactly at /metrics, and only when asked for", async (t) => {
    const on = await startModule(t, module, ["--target=serve"], { env: { FF_METRICS: "true" } });
    const off = await startModule(t, module, ["--target=serve"]);

    const head = await request(`${on.url}/metrics`, { method: "HEAD" });
    const post = await request(`${on.url}/metrics`, { method: "POST", body: "{broken" });

    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
    assert.equal((await request(`${on.url}/metrics?name=x`)).status, 200);
    assert.equal((await request(`${on.url}/metrics/x`)).text, "called");
    assert.equal((await request(`${off.url}/metrics`)).text, "called");
  });
});
