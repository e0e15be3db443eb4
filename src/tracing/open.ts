/** Starts what is configured to trace; nothing is loaded before it is known. */
import { createRequire } from "node:module";

import type { Tracing } from "../core/tracing";
import type * as OpenTelemetry from "./opentelemetry";
import { type SettingsSource, tracingSettings } from "./settings";
import type * as SkyWalking from "./skywalking";

const load = createRequire(__filename);

/** Undefined: nothing is traced. Errors: FF_TRACING_INVALID, FF_TRACING_PACKAGE_MISSING. */
export function openTracing(source: SettingsSource): Tracing | undefined {
  const settings = tracingSettings(source);
  if (settings === undefined) return undefined;
  return settings.provider === "skywalking"
    ? (load("./skywalking.js") as typeof SkyWalking).startSkyWalking(settings, source.env)
    : (load("./opentelemetry.js") as typeof OpenTelemetry).startOpenTelemetry(settings, source.env);
}
