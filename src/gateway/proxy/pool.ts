/** Connections to upstreams, kept for the next request; by address, the youngest first. */
import { performance } from "node:perf_hooks";

import { type AddressOptions, parseAddress } from "./address";
import { type Breakage, Connection } from "./connection";

export interface PoolOptions {
  /** Connections per address that wait for a request, at most. Default 256. */
  maxIdle?: number;
  /** Connections per address, at most. Default 1024. */
  maxConnections?: number;
  /** Milliseconds that a connection waits for a request. Default 4000: Node's servers close theirs after 5 s. */
  idleTimeout?: number;
  /** Milliseconds until a connection is made. Default 5000. */
  connectTimeout?: number;
}

export interface Pool {
  /** A connection that waits, or undefined. */
  take(address: string): Connection | undefined;
  /** A new one that connects, or why there is none. */
  connect(address: string): Connection | Breakage;
  /** Back for the next request; `keepAlive` is what its server says, in seconds. */
  free(connection: Connection, keepAlive: number | undefined): void;
  /** Connections that wait are ended, the others when they are free. Resolves when none is left. */
  close(): Promise<void>;
  /** Ends all. */
  destroy(): void;
}

/** What is open to one address. */
interface Origin {
  options: AddressOptions;
  idle: Connection[];
  all: Set<Connection>;
}

const sweepEvery = 1_000; // ms

export function createPool({
  maxIdle = 256,
  maxConnections = 1024,
  idleTimeout = 4_000,
  connectTimeout = 5_000,
}: PoolOptions = {}): Pool {
  const origins = new Map<string, Origin>();
  let sweeper: NodeJS.Timeout | undefined;
  let isClosed = false;
  let onEmpty: (() => void)[] = [];

  function take(address: string): Connection | undefined {
    const idle = origins.get(address)?.idle;
    if (idle === undefined) return undefined;
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (connection.isOpen && connection.idleUntil > performance.now()) return connection;
      connection.destroy();
    }
    return undefined;
  }

  function connect(address: string): Connection | Breakage {
    const options = origins.get(address)?.options ?? parseAddress(address);
    if (options === undefined) return none("connect", "it is not tcp:HOST:PORT or unix:PATH");
    const origin = origins.get(address) ?? { options, idle: [], all: new Set() };
    if (origin.all.size >= maxConnections)
      return none("busy", `it has ${maxConnections} connections already`);
    origins.set(address, origin);
    const connection = new Connection(address, options, {
      connectTimeout,
      onGone: () => forget(origin, connection),
    });
    origin.all.add(connection);
    return connection;
  }

  function free(connection: Connection, keepAlive = Number.POSITIVE_INFINITY): void {
    const origin = origins.get(connection.address);
    connection.free();
    // A second before the server does: it may close while our request is on its way.
    const wait = Math.min(idleTimeout, (keepAlive - 1) * 1000);
    if (isClosed || origin === undefined || wait <= 0 || origin.idle.length >= maxIdle)
      return connection.destroy();
    connection.idleUntil = performance.now() + wait;
    origin.idle.push(connection);
    sweeper ??= setInterval(sweep, sweepEvery).unref();
  }

  function forget(origin: Origin, connection: Connection): void {
    origin.all.delete(connection);
    const at = origin.idle.indexOf(connection);
    if (at >= 0) origin.idle.splice(at, 1);
    if (origin.all.size > 0) return;
    origins.delete(connection.address);
    if (origins.size > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
    for (const tell of onEmpty) tell();
    onEmpty = [];
  }

  function sweep(): void {
    const now = performance.now();
    for (const { idle } of origins.values())
      for (const connection of [...idle]) if (connection.idleUntil <= now) connection.destroy();
  }

  return {
    take,
    connect,
    free,
    async close() {
      isClosed = true;
      for (const { idle } of origins.values()) for (const connection of idle.splice(0)) connection.destroy();
      if (origins.size > 0) await new Promise<void>((resolve) => onEmpty.push(resolve));
    },
    destroy() {
      isClosed = true;
      for (const { all } of origins.values()) for (const connection of all) connection.cut();
    },
  };
}

function none(how: Breakage["how"], why: string): Breakage {
  return { how, why, isStale: false, isUnsent: true };
}
