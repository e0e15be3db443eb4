/** Sets OpenTelemetry up for the process, where user code has not done so: what it uses is this too. */
import type * as Api from "@opentelemetry/api";
import type * as AsyncHooks from "@opentelemetry/context-async-hooks";
import type * as Core from "@opentelemetry/core";
import type * as Resources from "@opentelemetry/resources";
import type * as Sdk from "@opentelemetry/sdk-trace-base";

import { currentInvocation } from "../core/invocation";
import { log } from "../core/log";
import { createExporters } from "./otel-exporter";
import { loadNewerOf, loadPackage } from "./packages";
import { hasOwnProvider, type TracingSettings } from "./settings";

export type OpenTelemetryApi = typeof Api;

/** What belongs to an invocation that is under way, for code whose context got lost on its way there. */
export const contextOf: unique symbol = Symbol("context");

/** The API, ready to use. Loading all of it takes about 200 ms. Error: FF_TRACING_PACKAGE_MISSING. */
export function setUpApi(settings: TracingSettings, env: NodeJS.ProcessEnv): OpenTelemetryApi {
  // What one copy registers, older ones share and newer ones refuse: it has to be the newest of ours and the user's.
  const name = "@opentelemetry/api";
  const api = loadNewerOf<OpenTelemetryApi>(settings.file, name) ?? loadPackage<OpenTelemetryApi>(name);
  if (hasOwnProvider()) {
    log.debug("Traces go to the provider that user code has registered with OpenTelemetry.");
    return api;
  }
  tellingProblems(api, () => {
    api.trace.setGlobalTracerProvider(createProvider(settings, env));
    api.context.setGlobalContextManager(createContextManager(api));
    api.propagation.setGlobalPropagator(createPropagator(env));
  });
  return api;
}

// What the SDK finds wrong in the environment it tells its own log, which is off.
function tellingProblems({ diag, DiagLogLevel }: OpenTelemetryApi, work: () => void): void {
  const tell = (message: string) => log.warn(message);
  const silent = () => undefined;
  const logger = { error: tell, warn: tell, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  try {
    work();
  } finally {
    diag.disable();
  }
}

function createProvider(settings: TracingSettings, env: NodeJS.ProcessEnv): Api.TracerProvider {
  const sdk = loadPackage<typeof Sdk>("@opentelemetry/sdk-trace-base");
  const resources = loadPackage<typeof Resources>("@opentelemetry/resources");
  const stated = resources.detectResources({ detectors: [resources.envDetector] });
  const resource = resources
    .defaultResource()
    .merge(resources.resourceFromAttributes(resourceAttributes(settings, env)))
    .merge(stated);
  const processors = createExporters(settings.exporter, env).map(
    (exporter) => new sdk.BatchSpanProcessor(exporter),
  );
  return new sdk.BasicTracerProvider({ resource, spanProcessors: processors });
}

function resourceAttributes(settings: TracingSettings, env: NodeJS.ProcessEnv): Record<string, string> {
  const { service, version: own } = settings;
  return {
    "service.name": service,
    "faas.name": service,
    ...(own !== undefined && { "service.version": own, "faas.version": own }),
    ...(env.POD_NAME && {
      "service.instance.id": env.POD_NAME,
      "faas.instance": env.POD_NAME,
      "k8s.pod.name": env.POD_NAME,
    }),
    ...(env.POD_NAMESPACE && {
      "service.namespace": env.POD_NAMESPACE,
      "k8s.namespace.name": env.POD_NAMESPACE,
    }),
  };
}

// Events of a request come outside of what was run for it; the invocation they belong to is known, though.
function createContextManager({ ROOT_CONTEXT }: OpenTelemetryApi): Api.ContextManager {
  const { AsyncLocalStorageContextManager } = loadPackage<typeof AsyncHooks>(
    "@opentelemetry/context-async-hooks",
  );
  class InvocationContextManager extends AsyncLocalStorageContextManager {
    override active(): Api.Context {
      const active = super.active();
      if (active !== ROOT_CONTEXT) return active;
      const span = currentInvocation()?.span as { [contextOf]?: Api.Context } | undefined;
      return span?.[contextOf] ?? active;
    }
  }
  return new InvocationContextManager().enable();
}

function createPropagator(env: NodeJS.ProcessEnv): Api.TextMapPropagator {
  const core = loadPackage<typeof Core>("@opentelemetry/core");
  const names = (env.OTEL_PROPAGATORS || "tracecontext,baggage").split(",").map((name) => name.trim());
  const propagators = [...new Set(names)].flatMap((name): Api.TextMapPropagator[] => {
    switch (name) {
      case "tracecontext":
        return [new core.W3CTraceContextPropagator()];
      case "baggage":
        return [new core.W3CBaggagePropagator()];
      case "b3":
      case "b3multi": {
        const b3 = loadPackage<B3>("@opentelemetry/propagator-b3");
        const injectEncoding = b3.B3InjectEncoding[name === "b3" ? "SINGLE_HEADER" : "MULTI_HEADER"];
        return [new b3.B3Propagator({ injectEncoding })];
      }
      case "none":
        return [];
      default:
        log.warn(
          `OTEL_PROPAGATORS names "${name}", which is not known. There are: tracecontext, baggage, b3, b3multi, none.`,
        );
        return [];
    }
  });
  return new core.CompositePropagator({ propagators });
}

interface B3 {
  B3Propagator: new (options: { injectEncoding: unknown }) => Api.TextMapPropagator;
  B3InjectEncoding: Record<"SINGLE_HEADER" | "MULTI_HEADER", unknown>;
}

/** Of our spans. */
export const tracerName = "@openfunction/functions-framework";
