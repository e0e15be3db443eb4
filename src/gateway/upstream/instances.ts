/**
 * Requests to a function: each takes a lease of an instance, goes there by the hop, and gives the lease back with what
 * became of it. While no instance has a place the request waits; why there will be none is the answer then.
 *
 * ```ts
 * const instances = createInstancesUpstream({ supervisor, proxy });
 * server.on("request", (req, res) => instances.forward(req, res, { function: "hello" }));
 * server.on("checkContinue", (req, res) => instances.forward(req, res, { function: "hello" }));
 * server.on("upgrade", (req, socket, first) => instances.upgrade(req, socket, first, { function: "hello" }));
 * ```
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { asFrameworkError } from "../../core/errors";
import { background } from "../../core/lifecycle";
import { followPipelined } from "../../core/pipelined";
import type { Supervisor } from "../../instances/supervisor";
import type { Proxy as Hop, Target } from "../proxy/proxy";
import { inTurn, responseOn } from "../proxy/upgrade-response";
import { refuse } from "./refusal";
import { RequestLeases } from "./request-leases";

export interface InstancesUpstreamOptions {
  supervisor: Pick<Supervisor, "acquire">;
  proxy: Hop;
}

export interface FunctionTarget extends Omit<Target, "address" | "next" | "isAdmitted" | "onError"> {
  /** Its name, as the supervisor knows it. */
  function: string;
}

export interface InstancesUpstream {
  forward(req: IncomingMessage, res: ServerResponse, target: FunctionTarget): void;
  /** For the server's `upgrade` event. The lease is held as long as the connection. */
  upgrade(req: IncomingMessage, socket: Socket, first: Buffer, target: FunctionTarget): void;
}

export function createInstancesUpstream({ supervisor, proxy }: InstancesUpstreamOptions): InstancesUpstream {
  /** Calls `send` with where to, or `refuse` with why not; neither when the client has left meanwhile. */
  async function withLease(
    leases: RequestLeases,
    send: (address: string) => void,
    fail: (err: unknown) => void,
  ): Promise<void> {
    try {
      const address = await leases.take();
      if (address !== undefined) send(address);
    } catch (err) {
      if (!leases.isAbandoned) fail(err);
    }
  }

  function hopTarget(leases: RequestLeases, target: FunctionTarget, address: string): Target {
    const { function: name, onReply, onDone, ...rest } = target;
    return {
      ...rest,
      address,
      isAdmitted: true,
      next: (err) => leases.takeNext(err),
      onError: (req, res, err) => refuse(req, res, name, leases.refusal ?? err),
      onReply(head) {
        leases.noteReply();
        onReply?.(head);
      },
      onDone(outcome) {
        leases.finish(outcome);
        onDone?.(outcome);
      },
    };
  }

  /** What is malformed does not wait: what follows it would overtake it. */
  function admits(
    req: IncomingMessage,
    response: () => ServerResponse,
    { function: name, onDone }: FunctionTarget,
  ): boolean {
    return proxy.admit(req, response, { onError: (_, res, err) => refuse(req, res, name, err), onDone });
  }

  function upgrade(req: IncomingMessage, socket: Socket, first: Buffer, target: FunctionTarget): void {
    const response = () => responseOn(socket, req);
    if (!admits(req, response, target)) return;
    const leases = new RequestLeases(supervisor, target.function);
    socket.on("error", () => undefined); // told as its close
    for (const end of ["end", "close"]) socket.once(end, () => leases.abandon());
    socket.read(0); // nobody reads it while it waits, so its end would not be seen
    const send = (address: string) => proxy.upgrade(req, socket, first, hopTarget(leases, target, address));
    const fail = (err: unknown) => refuse(req, response(), target.function, asFrameworkError(err));
    background(withLease(leases, send, fail));
  }

  return {
    forward(req, res, target) {
      if (!admits(req, () => res, target)) return;
      const leases = new RequestLeases(supervisor, target.function);
      followPipelined(res);
      res.on("close", () => leases.abandon());
      const send = (address: string) => proxy.forward(req, res, hopTarget(leases, target, address));
      const fail = (err: unknown) => refuse(req, res, target.function, asFrameworkError(err));
      background(withLease(leases, send, fail));
    },
    upgrade: (req, socket, first, target) => inTurn(socket, () => upgrade(req, socket, first, target)),
  };
}
