/** Sends segments to SkyWalking's collector (OAP): in batches, in the background, never more than it may hold. */
import { connect } from "node:http2";

import { log } from "../core/log";
import { atMost, createOutage, longestFlush } from "./outage";
import { encodeSegment, type Segment } from "./segment";

export interface Reporter {
  add(segment: Segment): void;
  /** Sends what waits. Never rejects. */
  flush(): Promise<void>;
}

export interface ReporterSettings {
  /** `HOST:PORT` of its gRPC, or the http(s) address of its REST. */
  address: string;
  isSecure: boolean;
  authentication: string | undefined;
  /** Segments that wait at most; further ones are dropped. */
  capacity: number;
  /** Milliseconds for one batch. */
  timeout: number;
}

const interval = 1_000; // ms
const batch = 100; // segments

export function createReporter(settings: ReporterSettings): Reporter {
  const { address, capacity } = settings;
  const send = /^https?:\/\//.test(address) ? sendByRest : sendByGrpc;
  const outage = createOutage(address);
  let waiting: Segment[] = [];
  let sending: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isFull = false;

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const next = waiting.slice(0, batch);
      waiting = waiting.slice(batch);
      try {
        await send(settings, next);
        outage.succeeded();
        isFull = false;
      } catch (err) {
        outage.failed(err);
        return; // the batch is lost, the others wait for the next try
      }
    }
  }

  function start(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
      if (waiting.length > 0) startLater();
    });
    return sending;
  }

  function startLater(): void {
    timer ??= setTimeout(start, interval).unref();
  }

  return {
    add(segment) {
      if (waiting.length >= capacity) {
        if (!isFull)
          log.warn(`${capacity} segments wait for the collector ${address}: further ones are dropped.`);
        isFull = true;
        return;
      }
      waiting.push(segment);
      startLater();
    },
    async flush() {
      // One that is under way, then what came meanwhile.
      await atMost(
        (async () => {
          await sending;
          await start();
        })(),
        longestFlush,
      );
    },
  };
}

// OAP's REST takes a list of segments.
async function sendByRest(
  { address, authentication, timeout }: ReporterSettings,
  segments: Segment[],
): Promise<void> {
  const url = new URL(address);
  if (url.pathname === "/") url.pathname = "/v3/segments";
  const reply = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(authentication !== undefined && { Authentication: authentication }),
    },
    body: JSON.stringify(segments),
    signal: AbortSignal.timeout(timeout),
  });
  await reply.arrayBuffer();
  if (!reply.ok) throw new Error(`it answers ${reply.status}`);
}

/**
 * TraceSegmentReportService.collect: a stream of segments, each behind a byte for "not compressed" and its length
 * (gRPC over HTTP2). A connection a batch: there is one a second at most.
 */
function sendByGrpc(
  { address, isSecure, authentication, timeout }: ReporterSettings,
  segments: Segment[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`${isSecure ? "https" : "http"}://${address}`);
    const end = (err?: Error) => {
      clearTimeout(clock);
      session.destroy();
      if (err) reject(err);
      else resolve();
    };
    const clock = setTimeout(() => end(new Error(`it does not answer within ${timeout} ms`)), timeout);
    session.on("error", end);
    const stream = session.request({
      ":method": "POST",
      ":path": "/skywalking.v3.TraceSegmentReportService/collect",
      "content-type": "application/grpc",
      te: "trailers",
      ...(authentication !== undefined && { authentication }),
    });
    let status: unknown;
    let message: unknown;
    const read = (headers: Record<string, unknown>) => {
      status = headers["grpc-status"] ?? status;
      message = headers["grpc-message"] ?? message;
    };
    stream.on("response", read).on("trailers", read).on("error", end).resume();
    stream.on("close", () =>
      end(
        status === "0" ? undefined : new Error(`it answers gRPC status ${status ?? "none"} ${message ?? ""}`),
      ),
    );
    for (const segment of segments) stream.write(frame(encodeSegment(segment)));
    stream.end();
  });
}

function frame(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
