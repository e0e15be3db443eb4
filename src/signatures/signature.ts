/** The contract of a calling convention. */
import type { Invocation } from "../core/invocation";
import type { Tracing } from "../core/tracing";
import type { Outputs } from "../dapr/outputs";
import type { DaprSdk } from "../dapr/sdk";
import type { SidecarClient } from "../dapr/sidecar-client";
import type {
  FunctionContext,
  Hook,
  Plugins,
  Request,
  Response,
  SignatureType,
  TypedFormat,
  UserFunction,
} from "../functions/types";

/** The function that is served, and what it may use. */
export interface Target {
  name: string;
  function: UserFunction;
  /** Of a typed function that does not speak JSON. */
  format: TypedFormat | undefined;
  context: FunctionContext | undefined;
  /** Sends to the outputs of the context. */
  outputs: Outputs;
  /** Calls for state and secrets. */
  sidecar: SidecarClient;
  dapr: DaprSdk;
  /** Around every call, outermost first. */
  hooks: readonly Hook[];
  plugins: Plugins;
  /** Undefined: nothing is traced. */
  tracing: Tracing | undefined;
  /** NODE_ENV=production: failures are answered without their message. */
  production: boolean;
}

/**
 * A signature is one file with one object of this type, and one row in signatures/table. `create` runs once when
 * the function is loaded and returns what runs per request:
 *
 *     export const ping: Signature = {
 *       name: "ping",
 *       create: (target) => (invocation, req, res) => res.end(target.name),
 *     };
 */
export interface Signature {
  name: SignatureType;
  /** Methods it answers; others get 405 with Allow. Absent: all. */
  methods?: readonly string[];
  /** `parse`: req.body is filled as Express apps expect it. `raw`: only req.rawBody is, the signature decodes. */
  body: "parse" | "raw";
  create(target: Target): (invocation: Invocation, req: Request, res: Response) => void;
}
