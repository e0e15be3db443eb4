/** Where OpenTelemetry's spans go. A new exporter: one row here. */
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { ExporterSettings } from "./exporter-settings";
import { createOutage } from "./outage";
import { loadPackage } from "./packages";

/** `settings` before the environment; the packages know the variables themselves. */
type Make = (settings: ExporterSettings, env: NodeJS.ProcessEnv) => SpanExporter;

const exporters: Readonly<Record<string, Make>> = {
  otlp: makeOtlp,
  zipkin: ({ endpoint: url, headers }) => {
    const { ZipkinExporter } = loadPackage<Classes<"ZipkinExporter">>("@opentelemetry/exporter-zipkin");
    return new ZipkinExporter({ ...(url && { url }), ...(headers && { headers }) });
  },
  console: () =>
    new (loadPackage<typeof import("@opentelemetry/sdk-trace-base")>(
      "@opentelemetry/sdk-trace-base",
    ).ConsoleSpanExporter)(),
};

type Classes<N extends string> = Record<N, new (options: object) => SpanExporter>;

const otlpPackages: Readonly<Record<string, string>> = {
  "http/protobuf": "@opentelemetry/exporter-trace-otlp-proto",
  "http/json": "@opentelemetry/exporter-trace-otlp-http",
  grpc: "@opentelemetry/exporter-trace-otlp-grpc",
};

function makeOtlp(settings: ExporterSettings, env: NodeJS.ProcessEnv): SpanExporter {
  const protocol =
    settings.protocol ||
    env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ||
    env.OTEL_EXPORTER_OTLP_PROTOCOL ||
    "http/protobuf";
  const name = otlpPackages[protocol] as string;
  const { OTLPTraceExporter } = loadPackage<Classes<"OTLPTraceExporter">>(name);
  const { endpoint, headers, compression, timeout } = settings;
  const url = endpoint && protocol !== "grpc" ? tracesUrl(endpoint) : endpoint;
  return new OTLPTraceExporter({
    ...(url && { url }),
    ...(headers && protocol !== "grpc" && { headers }),
    ...(compression && { compression }),
    ...(timeout && { timeoutMillis: timeout }),
  });
}

// An address alone is that of the collector, as in OTEL_EXPORTER_OTLP_ENDPOINT.
function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

/** Error: FF_TRACING_PACKAGE_MISSING. */
export function createExporters(settings: ExporterSettings, env: NodeJS.ProcessEnv): SpanExporter[] {
  const stated = env.OTEL_TRACES_EXPORTER?.split(",").map((name) => name.trim()) ?? [];
  const names = settings.name ? [settings.name] : stated.filter(Boolean);
  return [...new Set(names.length > 0 ? names : ["otlp"])].map((name) => {
    const exporter = (exporters[name] as Make)(settings, env);
    return name === "console" ? exporter : toldOnce(exporter, collectorOf(settings, name, env));
  });
}

function collectorOf({ endpoint }: ExporterSettings, name: string, env: NodeJS.ProcessEnv): string {
  if (endpoint) return endpoint;
  if (name === "zipkin") return env.OTEL_EXPORTER_ZIPKIN_ENDPOINT || "http://localhost:9411";
  return env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT || "http://localhost:4318";
}

// The processor would tell each failure to the process's handler of errors: it hears of none.
function toldOnce(exporter: SpanExporter, collector: string): SpanExporter {
  const outage = createOutage(collector);
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        if (result.code === 0) outage.succeeded();
        else outage.failed(result.error ?? "it refuses them");
        done({ code: 0 });
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
