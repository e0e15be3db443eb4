/** Whether calls are traced, and by what: the function context first, then the environment. */
import { frameworkError } from "../core/errors";
import type { FunctionContext, PluginsTracing } from "../core/function-context";
import { isRecord } from "../core/value";
import { checkEnvironment, type ExporterSettings, exporterOf, textsOf } from "./exporter-settings";

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
