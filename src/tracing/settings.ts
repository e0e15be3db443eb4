/** Whether calls are traced, and by what: the function context first, then the environment. */
import { frameworkError } from "../core/errors";
import type { FunctionContext, PluginsTracing } from "../core/function-context";
import { isRecord } from "../core/value";

export interface TracingSettings {
  provider: "opentelemetry" | "skywalking";
  /** What calls are traced under: name and version of the function. */
  service: string;
  /** True when the context states the name. */
  hasOwnName: boolean;
  /** The module of the function: OpenTelemetry's API is taken from there, when it is there. */
  file: string | undefined;
  version: string | undefined;
  /** Put on every span of an invocation. */
  tags: Record<string, string>;
  /** Sent along with every trace that begins or goes on here. */
  baggage: Record<string, string>;
  /** OpenTelemetry: where spans go, as the context says it. Empty: the environment says it. */
  exporter: ExporterSettings;
  /** SkyWalking: `HOST:PORT`, or an http address. */
  oapServer: string | undefined;
  outputs: FunctionContext["outputs"];
  runtime: string;
  /** Wrap messages as OpenFunction's framework for Go does. */
  innerEvents: boolean;
}

export interface ExporterSettings {
  /** `otlp`, `zipkin` or `console`. */
  name?: string | undefined;
  protocol?: string | undefined;
  endpoint?: string | undefined;
  headers?: Record<string, string> | undefined;
  compression?: string | undefined;
  /** Milliseconds. */
  timeout?: number | undefined;
}

export interface SettingsSource {
  context: FunctionContext | undefined;
  /** Of the function, or of the first one. */
  name: string;
  /** Its module. */
  file: string | undefined;
  innerEvents: boolean;
  env: NodeJS.ProcessEnv;
}

/**
 * Undefined: nothing is traced. Reads no package. Error: FF_TRACING_INVALID with all problems.
 *
 * A context that enables a provider decides. Where it enables none, `OTEL_EXPORTER_OTLP_ENDPOINT`, its form for traces,
 * `OTEL_TRACES_EXPORTER` or a provider that user code has registered is for OpenTelemetry, else
 * `SW_AGENT_COLLECTOR_BACKEND_SERVICES` for SkyWalking.
 */
export function tracingSettings({
  context,
  name,
  file,
  innerEvents,
  env,
}: SettingsSource): TracingSettings | undefined {
  const stated = context?.pluginsTracing;
  const provider = statedProvider(stated) ?? providerOf(env);
  if (provider === undefined) return undefined;
  if (provider === "opentelemetry" && isOff(env)) return undefined;
  const problems: string[] = [];
  const settings: TracingSettings = {
    provider,
    service: context?.name || name,
    hasOwnName: Boolean(context?.name),
    file,
    version: context?.version || undefined,
    tags: textsOf(stated?.tags),
    baggage: baggageOf(stated?.baggage),
    exporter: stated?.enabled ? exporterOf(stated.provider?.exporter, problems) : {},
    oapServer: stated?.provider?.oapServer || undefined,
    outputs: context?.outputs ?? {},
    runtime: context?.runtime ?? "Knative",
    innerEvents,
  };
  if (provider === "opentelemetry") checkEnvironment(env, problems);
  if (problems.length > 0) throw frameworkError("FF_TRACING_INVALID", { problems });
  return settings;
}

// An unknown name is a warning of the context's reader, and nothing is traced for it.
function statedProvider(stated: PluginsTracing | undefined): TracingSettings["provider"] | undefined {
  if (!stated?.enabled) return undefined;
  const name = stated.provider?.name?.toLowerCase();
  return name === "opentelemetry" || name === "skywalking" ? name : undefined;
}

function providerOf(env: NodeJS.ProcessEnv): TracingSettings["provider"] | undefined {
  const isOtel =
    env.OTEL_EXPORTER_OTLP_ENDPOINT ||
    env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ||
    env.OTEL_TRACES_EXPORTER ||
    hasOwnProvider();
  if (isOtel && !isOff(env)) return "opentelemetry";
  return env.SW_AGENT_COLLECTOR_BACKEND_SERVICES ? "skywalking" : undefined;
}

function isOff(env: NodeJS.ProcessEnv): boolean {
  return env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none";
}

/** True when code of the user's, such as a module of `--import`, has set OpenTelemetry up. */
export function hasOwnProvider(): boolean {
  // Where every copy of @opentelemetry/api 1 keeps what is registered.
  const shared = (globalThis as Record<symbol, unknown>)[Symbol.for("opentelemetry.js.api.1")];
  return isRecord(shared) && shared.trace !== undefined;
}

function textsOf(values: unknown): Record<string, string> {
  if (!isRecord(values)) return {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

// OpenFunction's samples write `{key: "sw8-correlation", value: "base64(key):base64(value),…"}`.
function baggageOf(values: unknown): Record<string, string> {
  const texts = textsOf(values);
  return texts.key === "sw8-correlation" ? readCorrelation(texts.value ?? "") : texts;
}

/** SkyWalking's header `sw8-correlation`. */
export function readCorrelation(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => pair.split(":").map(fromBase64));
  return Object.fromEntries(
    pairs.filter((pair) => pair.length === 2 && pair[0] !== "") as [string, string][],
  );
}

function fromBase64(text: string): string {
  return Buffer.from(text.trim(), "base64").toString("utf8");
}

const exporters = ["otlp", "zipkin", "console"];
const protocols = ["http/protobuf", "http/json", "grpc"];
const compressions = ["gzip", "none"];

function exporterOf(stated: unknown, problems: string[]): ExporterSettings {
  if (!isRecord(stated)) return {};
  const place = "pluginsTracing.provider.exporter";
  const choice = (field: string, choices: readonly string[]) => {
    const value = textOf(stated[field])?.toLowerCase();
    if (value !== undefined && !choices.includes(value))
      problems.push(`${place}.${field} must be one of ${choices.join(", ")}, not "${value}"`);
    return value;
  };
  const endpoint = textOf(stated.endpoint);
  if (endpoint !== undefined && !isAddress(endpoint))
    problems.push(`${place}.endpoint must be an address such as http://collector:4318, not "${endpoint}"`);
  const timeout = millisecondsOf(stated.timeout);
  if (timeout !== undefined && !(timeout > 0))
    problems.push(`${place}.timeout must be a time such as "10s", not "${String(stated.timeout)}"`);
  return {
    name: choice("name", exporters),
    protocol: choice("protocol", protocols),
    endpoint,
    headers: headersOf(stated.headers),
    compression: choice("compression", compressions),
    timeout,
  };
}

function checkEnvironment(env: NodeJS.ProcessEnv, problems: string[]): void {
  for (const name of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]) {
    const value = env[name];
    if (value && !isAddress(value))
      problems.push(`${name} must be an address such as http://collector:4318, not "${value}"`);
  }
  for (const name of ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"]) {
    const value = env[name];
    if (value && !protocols.includes(value))
      problems.push(`${name} must be one of ${protocols.join(", ")}, not "${value}"`);
  }
  for (const value of env.OTEL_TRACES_EXPORTER?.split(",") ?? []) {
    if (value.trim() !== "" && !exporters.includes(value.trim()))
      problems.push(`OTEL_TRACES_EXPORTER must be one of ${exporters.join(", ")}, none, not "${value}"`);
  }
}

function textOf(value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

function isAddress(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

// `k=v,k=v` as the variables of OpenTelemetry have it, or an object.
function headersOf(stated: unknown): Record<string, string> | undefined {
  if (typeof stated !== "string") return isRecord(stated) ? textsOf(stated) : undefined;
  const pairs = stated.split(",").map((pair) => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== ""));
}

/** `10s`, `500ms`, `PT10S`, or a number of milliseconds. */
function millisecondsOf(stated: unknown): number | undefined {
  const text = textOf(stated);
  if (text === undefined) return undefined;
  const [, amount, unit = "ms"] = /^(?:PT)?(\d+(?:\.\d+)?)(ms|s|m)?$/i.exec(text) ?? [];
  return Number(amount) * ({ ms: 1, s: 1000, m: 60_000 }[unit.toLowerCase()] ?? 1);
}
