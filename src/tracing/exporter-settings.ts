/** Where OpenTelemetry's spans go, as the function context says it; and what its variables must not say. */
import { isRecord } from "../core/value";

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

const exporters = ["otlp", "zipkin", "console"];
const protocols = ["http/protobuf", "http/json", "grpc"];
const compressions = ["gzip", "none"];

/** Adds what is wrong to the problems. */
export function exporterOf(stated: unknown, problems: string[]): ExporterSettings {
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

/** The SDK would leave out what it does not understand, with a line in a log that is off. */
export function checkEnvironment(env: NodeJS.ProcessEnv, problems: string[]): void {
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

/** The members of an object as texts; none for what is no object. */
export function textsOf(values: unknown): Record<string, string> {
  if (!isRecord(values)) return {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
