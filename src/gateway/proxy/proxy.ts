/**
 * One hop: a streaming HTTP/1.1 reverse proxy. In front of it is a `node:http` server, behind it a small strict client
 * of its own, because Node's client and its streams cost more than all the rest (docs/architecture.md, Performance).
 * It knows addresses only. Which one takes a request, and which one the next try, the caller says.
 *
 * ```ts
 * const proxy = createProxy();
 * const server = createServer((req, res) => proxy.forward(req, res, { address: "tcp:127.0.0.1:3000" }));
 * server.on("checkContinue", (req, res) => proxy.forward(req, res, { address: "tcp:127.0.0.1:3000" }));
 * server.on("upgrade", (req, socket, first) => proxy.upgrade(req, socket, first, { address: "tcp:127.0.0.1:3000" }));
 * ```
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import { asFrameworkError, type FrameworkError } from "../../core/errors";
import { replyProblem } from "../../core/reply";
import { malformedRequest } from "./errors";
import { Exchange, type ExchangeOptions, type Outcome } from "./exchange";
import { createPool, type PoolOptions } from "./pool";
import type { ReplyHead } from "./reply-head";
import { checkRequest, upgradeOf, writeRequestHead } from "./request-head";
import { inTurn, responseOn } from "./upgrade-response";

export type { Outcome } from "./exchange";
export type { ReplyHead } from "./reply-head";

export interface ProxyOptions extends PoolOptions {
  /** Milliseconds to the head of the reply, when the target says nothing; 0 = any time. Default 60,000. */
  timeout?: number;
  /** X-Forwarded fields of the client are kept and added to. Default false: they are replaced. */
  trustForwarded?: boolean;
  /** Answers a request that has no reply. Default: the status of the error, its code for who accepts only JSON. */
  onError?: (req: IncomingMessage, res: ServerResponse, err: FrameworkError) => void;
}

/** Where a request goes. */
export interface Target {
  /** `tcp:HOST:PORT` or `unix:PATH`. */
  address: string;
  /** Path and query. Default: as the request has them. */
  path?: string | undefined;
  /** Default: the client's Host. */
  host?: string | undefined;
  /** Names and values in turn, in place of the client's fields of these names. */
  headers?: readonly string[] | undefined;
  /** Milliseconds to the head of the reply; 0 = any time. */
  timeout?: number | undefined;
  /**
   * Called when a request got no reply and may be sent again: it never reached the upstream, or it is idempotent and
   * its body is still there. Gives the address of the next try, or undefined when there shall be none. When the client
   * leaves meanwhile, `onDone` is called, and what this promises is not used.
   */
  next?: ExchangeOptions["next"];
  /** Answers the request when it has no reply, in place of the proxy's own. */
  onError?: ProxyOptions["onError"];
  /** May change status and headers of the reply before they are sent. */
  onReply?: ((head: ReplyHead) => void) | undefined;
  /** `admit` has let it pass, before those behind it on its connection came. Default false. */
  isAdmitted?: boolean;
  /** Called once, when the upstream has no more to do with the request. */
  onDone?: ((outcome: Outcome) => void) | undefined;
}

export interface Proxy {
  /**
   * False for a request that cannot be passed on in one meaning: it is answered. For who lets requests wait before
   * they are passed on: what follows on its connection must not be passed on meanwhile.
   */
  admit(
    req: IncomingMessage,
    response: () => ServerResponse,
    target: Pick<Target, "onError" | "onDone">,
  ): boolean;
  forward(req: IncomingMessage, res: ServerResponse, target: Target): void;
  /** For the server's `upgrade` event. */
  upgrade(req: IncomingMessage, socket: Socket, first: Buffer, target: Target): void;
  /** What is under way ends by itself, changed protocols included. Resolves when no connection is left. */
  close(): Promise<void>;
  /** Cuts what is under way. */
  destroy(): void;
}

export function createProxy({
  timeout: defaultTimeout = 60_000,
  trustForwarded = false,
  onError = replyError,
  ...poolOptions
}: ProxyOptions = {}): Proxy {
  const pool = createPool(poolOptions);
  const refused = new WeakSet<Socket>();

  function refuse(
    req: IncomingMessage,
    res: ServerResponse,
    { onError: fail = onError, onDone }: Pick<Target, "onError" | "onDone">,
    { error, address }: { error: FrameworkError; address: string },
  ): void {
    refused.add(req.socket);
    res.setHeader("Connection", "close");
    fail(req, res, error);
    onDone?.({ status: res.statusCode, error, isAborted: false, address });
  }

  function open(
    req: IncomingMessage,
    res: ServerResponse,
    target: Target,
    upgrade?: { socket: Socket; first: Buffer; protocol: string | undefined },
  ): void {
    const {
      address,
      path,
      host,
      headers,
      next,
      onReply,
      onDone,
      isAdmitted,
      timeout = defaultTimeout,
    } = target;
    const fail = target.onError ?? onError;
    // What follows a request that was not understood on its connection may be a part of it.
    if (!isAdmitted && refused.has(req.socket))
      return onDone?.({ status: 0, error: undefined, isAborted: true, address });
    try {
      const protocol = upgrade?.protocol;
      const head = writeRequestHead(req, { address, path, host, headers, trustForwarded, upgrade: protocol });
      if (upgrade && head.framing !== "none")
        throw malformedRequest("it asks for another protocol and has a body");
      new Exchange({
        req,
        res,
        head,
        address,
        timeout,
        pool,
        upgrade: protocol === undefined ? undefined : upgrade,
        next,
        onReply,
        onError: (err) => fail(req, res, err),
        onDone,
      }).start();
    } catch (thrown) {
      refuse(req, res, target, { error: asFrameworkError(thrown), address });
    }
  }

  return {
    admit(req, response, target) {
      if (refused.has(req.socket)) return false;
      try {
        checkRequest(req);
        return true;
      } catch (thrown) {
        refuse(req, response(), target, { error: asFrameworkError(thrown), address: "" });
        return false;
      }
    },
    forward: (req, res, target) => open(req, res, target),
    upgrade(req, socket, first, target) {
      const wish = upgradeOf(req);
      // RFC 9113 §3.1: nobody speaks HTTP/2 here, so this is a plain request.
      const protocol = wish?.toLowerCase() === "h2c" ? undefined : wish;
      inTurn(socket, () => open(req, responseOn(socket, req), target, { socket, first, protocol }));
    },
    close: () => pool.close(),
    destroy: () => pool.destroy(),
  };
}

// Addresses and reasons are for the log: they are nothing for a client.
function replyError(req: IncomingMessage, res: ServerResponse, { status = 500, code }: FrameworkError): void {
  if (!req.complete) res.setHeader("Connection", "close"); // nobody reads the rest of its body
  replyProblem(res, status, STATUS_CODES[status] ?? "", { code });
}
