/** A gRPC server for unary calls on node:http2, in clear text. It listens nowhere: connections are handed to it. */
import {
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";

import { frameworkError } from "../../core/errors";
import { log } from "../../core/log";
import { serverTimeouts } from "../timeouts";
import { GrpcCall } from "./call";
import { readMessage } from "./message";
import { code, readTimeout } from "./status";

export interface GrpcMethod {
  /** Whether the call may be answered, before its message is read: throws, when not. */
  admit(call: GrpcCall): void;
  /** Answers now or later. Throws what is wrong with the message. */
  handle(call: GrpcCall, message: Buffer): void;
}

export interface GrpcServer {
  /** Takes a connection, with what was read of it put back. */
  accept(socket: Socket): void;
  /** No new calls, the sidecar is told so (GOAWAY); those that are under way go on, then the connections end. */
  stop(): void;
  /** Answers what is still under way, UNAVAILABLE, and ends the connections. */
  cut(why: string): void;
}

export interface GrpcServerOptions {
  /** By path, `/package.Service/Method`. */
  methods: ReadonlyMap<string, GrpcMethod>;
  /** Bytes of a message. */
  bodyLimit: number;
}

/** Calls at once on a connection; the sidecar holds back more. As many deliveries may pause, and each is a call. */
const maxCalls = 10_000;
const window = { stream: 256 * 1024, connection: 1024 ** 2 }; // bytes that may be under way

export function createGrpcServer({ methods, bodyLimit }: GrpcServerOptions): GrpcServer {
  const sessions = new Set<ServerHttp2Session>();
  const calls = new Set<GrpcCall>();
  let isStopping = false;
  const clock = setInterval(endUnsent, serverTimeouts.requestTimeout).unref();

  /** Ends calls whose message has not come between two looks, as HTTP/1.1 ends such a request. */
  function endUnsent(): void {
    for (const call of calls) {
      if (call.isSlow) call.fail(code.deadlineExceeded, "The message has not come.");
      else call.isSlow = !call.isRead;
    }
  }

  const server = createServer(sessionOptions);
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(window.connection);
    if (isStopping) session.close();
  });
  server.on("sessionError", (err) => log.debug(`A gRPC connection has broken off: ${err.message}`));
  server.on("stream", (...args) => {
    const [stream, headers, , rawHeaders] = args as unknown as StreamArguments;
    const problem = notGrpc(headers);
    if (problem) return refuseHttp(stream, problem);
    const call = new GrpcCall(stream, headers, rawHeaders);
    calls.add(call);
    call.once("close", () => calls.delete(call));
    try {
      begin(call, stream);
    } catch (err) {
      call.refuse(err);
    }
  });

  function begin(call: GrpcCall, stream: ServerHttp2Stream): void {
    const { headers, path } = call;
    const timeout = headers["grpc-timeout"];
    if (timeout !== undefined) {
      const ms = readTimeout(String(timeout));
      if (Number.isNaN(ms))
        throw frameworkError("FF_BODY_MALFORMED", { why: `grpc-timeout is "${timeout}"` });
      call.limit(ms);
    }
    const method = methods.get(path);
    if (method === undefined) {
      log.debug(`FF_GRPC_METHOD_UNKNOWN ${path}`);
      return call.fail(code.unimplemented, frameworkError("FF_GRPC_METHOD_UNKNOWN", { path }).message);
    }
    method.admit(call);
    const encoding = String(headers["grpc-encoding"] ?? "identity");
    readMessage(stream, { limit: bodyLimit, encoding }, (err, message) => {
      call.isRead = true;
      call.isSlow = false;
      if (err) return call.refuse(err);
      if (call.closed) return;
      try {
        method.handle(call, message);
      } catch (thrown) {
        call.refuse(thrown);
      }
    });
  }

  return {
    accept: (socket) => void server.emit("connection", socket),
    stop() {
      isStopping = true;
      clearInterval(clock);
      for (const session of sessions) session.close();
    },
    cut(why) {
      for (const call of calls) call.fail(code.unavailable, why);
      for (const session of sessions) setTimeout(() => session.destroy(), goodbye).unref();
    },
  };
}

/** Node hands over the raw list too, which its types leave out. */
type StreamArguments = [ServerHttp2Stream, IncomingHttpHeaders, number, string[]];

const sessionOptions: ServerOptions & { streamResetBurst: number; streamResetRate: number } = {
  settings: { maxConcurrentStreams: maxCalls, initialWindowSize: window.stream },
  maxSessionMemory: Number.MAX_SAFE_INTEGER, // MB; what it would limit, the calls do
  // Deliveries that the sidecar gives up are reset: Node's own 1,000 and 33 a second would end the connection. Node 20
  // does not know the options, and ends it.
  streamResetBurst: maxCalls,
  streamResetRate: maxCalls,
};

const goodbye = 500; // ms, for the last answers to go out

interface NotGrpc {
  status: number;
  text: string;
}

const grpcType = /^application\/grpc(\+proto)?\s*(;|$)/i;

function notGrpc(headers: IncomingHttpHeaders): NotGrpc | undefined {
  if (grpcType.test(headers["content-type"] ?? "")) {
    return headers[":method"] === "POST" ? undefined : { status: 405, text: "gRPC calls are POST." };
  }
  const text = "HTTP/2 is for gRPC here, application/grpc. Everything else is answered over HTTP/1.1.";
  return { status: 415, text };
}

function refuseHttp(stream: ServerHttp2Stream, { status, text }: NotGrpc): void {
  stream.on("error", () => undefined);
  stream.respond({ ":status": status, "content-type": "text/plain", "x-content-type-options": "nosniff" });
  stream.end(`${text}\n`);
  stream.resume();
}
