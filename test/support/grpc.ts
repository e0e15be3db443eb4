/**
 * Dapr's callbacks over gRPC as a sidecar calls them: grpc-js for the transport, and messages of protobuf-es from the
 * descriptors that ship with @dapr/dapr, so that no mistake of ours is on both sides.
 */
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import * as callback from "@dapr/dapr/proto/dapr/proto/runtime/v1/appcallback_pb";
import { Client, credentials, Metadata, type StatusObject, status } from "@grpc/grpc-js";

import { withDeadline } from "./wait";

export { status };

interface Rpc {
  path: string;
  input: DescMessage;
  output: DescMessage;
}

const services = [callback.AppCallback, callback.AppCallbackAlpha, callback.AppCallbackHealthCheck];

function allRpcs(): Map<string, Rpc> {
  const rpcs = new Map<string, Rpc>();
  for (const { typeName, methods } of services)
    for (const { name, input, output } of methods)
      rpcs.set(name, { path: `/${typeName}/${name}`, input, output });
  // The SDK's descriptor lacks the stable method, which has the messages of the alpha one.
  const bulk = rpcs.get("OnBulkTopicEventAlpha1") as Rpc;
  rpcs.set("OnBulkTopicEvent", { ...bulk, path: `/${callback.AppCallback.typeName}/OnBulkTopicEvent` });
  return rpcs;
}

const rpcs = allRpcs();

export interface CallOptions {
  metadata?: Record<string, string | Buffer>;
  /** Milliseconds. */
  timeout?: number;
  /** Sent in place of the message that the fields make. */
  bytes?: Buffer;
}

export interface GrpcReply {
  code: status;
  details: string;
  /** The message as JSON would have it; undefined when there is none. */
  message: Record<string, unknown> | undefined;
}

export class Sidecar {
  readonly #client: Client;

  /** `HOST:PORT` or `unix:PATH`. */
  constructor(address: string, options: Record<string, unknown> = {}) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_send_message_length": -1,
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      ...options,
    });
  }

  /** Any status is a reply. */
  call(method: string, fields: object = {}, options: CallOptions = {}): Promise<GrpcReply> {
    return withDeadline(this.start(method, fields, options).reply, `${method} is answered`, 60_000);
  }

  start(method: string, fields: object = {}, { metadata = {}, timeout, bytes }: CallOptions = {}) {
    const rpc = rpcs.get(method) ?? { ...(rpcs.get("HealthCheck") as Rpc), path: method };
    const sent = new Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    let cancel: () => void = () => undefined;
    const reply = new Promise<GrpcReply>((resolve) => {
      const answer: { message?: GrpcReply["message"] } = {};
      const call = this.#client.makeUnaryRequest(
        rpc.path,
        (message: Message | Buffer) =>
          Buffer.isBuffer(message) ? message : Buffer.from(toBinary(rpc.input, message)),
        (received: Buffer) => fromBinary(rpc.output, received) as unknown as Record<string, unknown>,
        bytes ?? create(rpc.input, fields as never),
        sent,
        timeout === undefined ? {} : { deadline: Date.now() + timeout },
        (_err: unknown, message?: Record<string, unknown>) => {
          answer.message = message;
        },
      );
      call.on("status", ({ code, details }: StatusObject) =>
        resolve({ code, details, message: answer.message }),
      );
      cancel = () => call.cancel();
    });
    return { reply, cancel: () => cancel() };
  }

  close(): void {
    this.#client.close();
  }
}
