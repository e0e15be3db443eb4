/** A worker that shares its port with others: its parent accepts the connections, and tells the metrics of all. */
import type { Socket } from "node:net";

import type { Lifecycle } from "../core/lifecycle";
import { background } from "../core/lifecycle";
import type { Running } from "../serving/options";
import { listen } from "../telemetry/channels";
import type { Metrics } from "../telemetry/metrics";
import type { ParentMessage } from "./messages";
import { tell } from "./tell";

/** What FF_SHARING says to a worker. */
export interface Sharing {
  /** `off`: another process has said already what is to be said at the start; errors are told all the same. */
  startLines: "on" | "off";
}

/** Undefined for a worker that shares nothing. */
export function sharingFrom(text: string | undefined): Sharing | undefined {
  if (text === undefined) return undefined;
  return { startLines: text === "quiet" ? "off" : "on" };
}

/** Serves what the parent has accepted. Until the answer the parent keeps the connection too. */
export function takeConnections(running: Pick<Running, "take">, lifecycle: Lifecycle): void {
  const closed = createClosedCount();
  lifecycle.onStop(() => tell({ type: "leaving", code: lifecycle.exitCode ?? 0 })); // the newest: first of all
  process.on("message", (message: ParentMessage, socket?: Socket) => {
    if (message.type !== "connection") return;
    const { id } = message;
    if (lifecycle.isStopping) {
      socket?.destroy(); // nothing was read, and the parent's end stays open
      return tell({ type: "refused", id });
    }
    tell({ type: "taken", id, closed: closed.take() });
    if (!socket) return closed.add(); // it was gone before it came
    socket.once("close", closed.add);
    running.take(socket);
  });
}

const closedWithin = 20; // ms

// Told with the next connection that is taken, or together after a while: a message costs as much as a request.
function createClosedCount() {
  let count = 0;
  const take = () => {
    const taken = count;
    count = 0;
    return taken;
  };
  let isDue = false;
  const flush = () => {
    isDue = false;
    if (count > 0) tell({ type: "closed", count: take() });
  };
  return {
    take,
    add() {
      count++;
      if (!isDue) setTimeout(flush, closedWithin).unref();
      isDue = true;
    },
  };
}

const pushEvery = 1_000; // ms

/**
 * Metrics whose text is that of all workers. Its own are told when the parent asks, at the end, and every second in
 * which something was invoked: a process that is killed takes no more with it.
 */
export function metricsOfAll(lifecycle: Lifecycle) {
  return (own: Metrics): Metrics => {
    const push = async () => tell({ type: "metrics", text: await own.text() });
    const waiting = new Map<number, (text: string) => void>();
    let last = 0;
    let hasNews = false;
    const stopListening = listen("invocation", () => {
      hasNews = true;
    });
    const timer = setInterval(() => {
      if (hasNews) background(push());
      hasNews = false;
    }, pushEvery).unref();
    process.on("message", (message: ParentMessage) => {
      if (message.type === "measure") background(push());
      if (message.type !== "gathered") return;
      waiting.get(message.id)?.(message.text);
      waiting.delete(message.id);
    });
    lifecycle.onStop(async () => {
      clearInterval(timer);
      stopListening();
      const text = await own.text();
      await new Promise<void>((resolve) => tell({ type: "metrics", text }, resolve));
    });

    return {
      ...own,
      text() {
        if (!process.connected) return own.text();
        const id = ++last;
        return new Promise((resolve) => {
          waiting.set(id, resolve);
          tell({ type: "gather", id });
        });
      },
    };
  };
}
