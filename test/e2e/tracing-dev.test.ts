/** One trace through the embedded runtime: publish → function → topic → function → binding → function. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { startGrpcCollector, startOtlpCollector } from "../support/collectors";
import { freePorts, startDev } from "../support/dev";
import { makeProject } from "../support/project";
import { postJson } from "./support/http";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const caller = "b7ad6b7169203331";

const module = `
  exports.first = (ctx, data) => ctx.send({ ...data, first: true });
  exports.second = (ctx, data) => { console.log("second got " + JSON.stringify(data)); };`;

const metadata = (more: Record<string, string>) =>
  Object.entries({ url: "tcp://admin:public@emqx:1883", ...more }).map(([name, value]) => ({ name, value }));

const pubsub = (consumerID: string) => ({
  bus: { type: "pubsub.mqtt3", version: "v1", metadata: metadata({ consumerID }) },
});

function crs(tracing: object, params: Record<string, string> = {}): Record<string, string> {
  const cr = (name: string, serving: object) =>
    JSON.stringify({
      apiVersion: "core.openfunction.io/v1beta2",
      kind: "Function",
      metadata: { name },
      spec: {
        image: "example/image",
        serving: {
          annotations: { "dapr.io/app-protocol": "http" },
          params: { FUNCTION_TARGET: name, OTEL_BSP_SCHEDULE_DELAY: "20", ...params },
          pubsub: pubsub(name),
          tracing,
          ...serving,
        },
      },
    });
  const topic = (name: string) => ({ name: "bus", type: "pubsub.mqtt3", topic: name });
  return {
    "index.js": module,
    "first.yaml": cr("first", {
      triggers: { dapr: [topic("in")] },
      outputs: [{ dapr: topic("between") }],
    }),
    "second.yaml": cr("second", { triggers: { dapr: [topic("between")] } }),
  };
}

async function publish(t: TestContext, project: string, headers: Record<string, string>) {
  const dev = startDev(project, ["-f", "first.yaml", "-f", "second.yaml", ...freePorts]);
  t.after(() => dev.stop());
  const { functions } = await dev.ready();
  const sidecar = functions.find(({ name }) => name === "first")?.sidecar;
  const { status, text } = await postJson(`${sidecar}/v1.0/publish/bus/in`, { id: 1 }, headers);
  assert.equal(status, 204, text);
  const line = await dev.next("log", ({ data }) => data.text.includes("second got"));
  assert.match(line.data.text, /second got \{"id":1,"first":true\}/);
  return dev;
}

test("OpenTelemetry: one trace id from the publisher to the last function", async (t) => {
  const collector = await startOtlpCollector(t);
  const exporter = { name: "otlp", endpoint: collector.url };
  const project = makeProject(t, crs({ enabled: true, provider: { name: "opentelemetry", exporter } }));

  await publish(t, project, { traceparent: `00-${traceId}-${caller}-01` });
  await collector.has("first", "send between", "second");

  const [first, send, second] = ["first", "send between", "second"].map(collector.span);
  assert.deepEqual(new Set(collector.spans.map((span) => span.traceId)), new Set([traceId]));
  assert.equal(first?.parent, caller);
  assert.equal(send?.parent, first?.spanId);
  assert.equal(second?.parent, send?.spanId);
  assert.deepEqual([first?.kind, send?.kind, second?.kind], [5, 4, 5]);
  assert.equal(first?.resource["service.name"], "first");
  assert.equal(second?.attributes["messaging.destination.name"], "between");
});

test("SkyWalking: segments of both functions, tied by the wrapper", async (t) => {
  const collector = await startGrpcCollector(t);
  const tracing = { enabled: true, provider: { name: "skywalking", oapServer: collector.address } };
  const project = makeProject(t, crs(tracing, { FF_INNER_EVENTS: "true" }));

  await publish(t, project, {});
  await collector.count(2);

  const of = (service: string) => collector.segments.find((segment) => segment.service === service);
  const [first, second] = [of("first"), of("second")];
  assert.equal(second?.traceId, first?.traceId);
  const exit = first?.spans.find(({ spanType }) => spanType === "Exit");
  const [ref] = second?.spans[0]?.refs ?? [];
  assert.equal(ref?.parentTraceSegmentId, first?.traceSegmentId);
  assert.equal(ref?.parentSpanId, exit?.spanId);
  assert.equal(ref?.parentService, "first");
  assert.equal(ref?.networkAddressUsedAtPeer, "between");
});
