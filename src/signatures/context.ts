/** ctx: what a `(ctx, data)` function gets, made anew for every invocation. */
import type { Invocation } from "../core/invocation";
import { lazyRequire } from "../core/lazy";
import type { Logger } from "../core/log";
import { Plugin } from "../functions/plugin";
import type {
  CloudEvent,
  InvocationInput,
  OpenFunctionContext,
  PluginInstance,
  Request,
  Response,
  Secrets,
  SendOptions,
  SendResult,
  State,
} from "../functions/types";
import type { Sends } from "./sends";
import type { Target } from "./signature";

/** Where an invocation came from. */
export interface Origin {
  input?: InvocationInput | undefined;
  event?: CloudEvent | undefined;
  rawBody?: Buffer | undefined;
  req?: Request;
  res?: Response;
}

export type ContextClass = new (invocation: Invocation, sends: Sends, origin: Origin) => OpenFunctionContext;

/** The class of one target: the fields of its function context stand on the prototype, so a ctx costs one small object. */
export function createContextClass({ context, dapr, plugins, sidecar, tracing }: Target): ContextClass {
  const { port, grpcPort } = sidecar.sidecar;
  const sidecarPort = Object.freeze({ HTTP: String(port), GRPC: grpcPort });
  // Upstream's builtin plugin of that name.
  const tracingPlugin =
    tracing && Object.freeze(Object.assign(new Plugin("tracing", "v1"), { provider: tracing.provider }));

  class InvocationContext {
    readonly input: InvocationInput | undefined;
    readonly event: CloudEvent | undefined;
    readonly req: Request | undefined;
    readonly res: Response | undefined;
    readonly #invocation: Invocation;
    readonly #sends: Sends;
    #state: State | undefined;
    readonly #origin: Origin;
    /** What the function threw; plugins that run after it read it. */
    error: unknown = undefined;

    constructor(invocation: Invocation, sends: Sends, origin: Origin) {
      this.input = origin.input;
      this.event = origin.event;
      this.req = origin.req;
      this.res = origin.res;
      this.#origin = origin;
      this.#invocation = invocation;
      this.#sends = sends;
    }

    get id(): string {
      return this.#invocation.id;
    }

    /** Over gRPC it is written when somebody asks. */
    get rawBody(): Buffer | undefined {
      return this.#origin.rawBody;
    }

    get signal(): AbortSignal {
      return this.#invocation.signal;
    }

    get log(): Logger {
      return this.#invocation.log;
    }

    get locals(): Record<string, unknown> {
      return this.#invocation.locals;
    }

    getPlugin(name: string): PluginInstance | undefined {
      if (Object.hasOwn(plugins, name)) return plugins[name];
      return name === "tracing" ? tracingPlugin : undefined;
    }

    send(data: unknown, output?: string, options?: SendOptions): Promise<SendResult[]> {
      return this.#sends.send(data, output, options);
    }

    get state(): State {
      this.#state ??= (lazyRequire("../dapr/state.js") as typeof import("../dapr/state")).createState({
        sidecar,
        states: context?.states,
        caller: this.#sends.caller,
        track: (work) => this.#sends.track(work),
      });
      return this.#state;
    }

    get secrets(): Secrets {
      const { createSecrets } = lazyRequire("../dapr/secrets.js") as typeof import("../dapr/secrets");
      return createSecrets({ sidecar, caller: this.#sends.caller });
    }

    get sidecarPort() {
      return sidecarPort;
    }

    dapr() {
      return dapr.client();
    }
  }

  const own = new Set([
    ...Object.getOwnPropertyNames(InvocationContext.prototype),
    "input",
    "event",
    "req",
    "res",
    "error",
  ]);
  for (const [field, value] of Object.entries(context ?? {})) {
    if (own.has(field)) continue;
    // Frozen all the way down: what one invocation could change, the next would see.
    Object.defineProperty(InvocationContext.prototype, field, { value: freeze(value), enumerable: true });
  }
  return InvocationContext as unknown as ContextClass;
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}
