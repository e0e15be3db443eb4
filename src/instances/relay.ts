/**
 * The output of several processes through one stream: whole lines of one after whole lines of another, byte for byte.
 * Only a line that is longer than what is held, or that nobody finishes, is cut by the lines of others; these begin on a
 * line of their own.
 */
import { fstatSync } from "node:fs";
import type { Writable } from "node:stream";

import type { Clock } from "../core/clock";

export interface Relay {
  /** The output of one more process. */
  open(): RelaySource;
  /** Resolves when all that was opened has ended and is written, or nobody takes it for 10 s. */
  settled(): Promise<void>;
}

export interface RelaySource {
  /** Bytes, as they come; nothing more is to be read before a returned promise is settled. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** What has no newline goes too. */
  end(): void;
}

/** For stdout and stderr of this process; undefined for a terminal, which is the processes' own. */
export function relaysOf(clock: Clock): Record<"stdout" | "stderr", Relay | undefined> {
  const { stdout, stderr } = process;
  const relays = {
    stdout: stdout.isTTY ? undefined : createRelay(stdout, clock),
    stderr: stderr.isTTY ? undefined : createRelay(stderr, clock),
  };
  // `2>&1`: two streams that write to one pipe would mix.
  return relays.stdout && relays.stderr && isSameFile(1, 2) ? { ...relays, stdout: relays.stderr } : relays;
}

function isSameFile(one: number, other: number): boolean {
  try {
    const [a, b] = [fstatSync(one), fstatSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false; // closed
  }
}

const heldAtMost = 64 * 1024; // bytes without a newline
const unwrittenAtMost = 64 * 1024; // bytes that wait for the reader
const patienceAtEnd = 10_000; // ms, for a reader that takes nothing
const patience = 200; // ms, for more of a line
const piecesAtMost = 64; // of one line while others wait
const newline = 10;

interface Source {
  parts: Buffer[];
  size: number;
  /** Bytes of these that may go. */
  due: number;
  hasEnded: boolean;
  /** Set while nothing more is to be read. */
  resume: (() => void) | undefined;
  stopWaiting: (() => void) | undefined;
}

export function createRelay(target: Pick<Writable, "write">, clock: Clock): Relay {
  const sources = new Set<Source>();
  const queue = new Set<Source>(); // something of them is due
  const watchers: (() => void)[] = [];
  let turn: Source | undefined; // its line is open, and the others wait
  let pieces = 0;
  let last: Source | undefined;
  let isAtBegin = true; // of a line
  let unwritten = 0;
  let taken = 0; // writes that the reader has got

  const hasRoom = () => unwritten < unwrittenAtMost;

  function pump(): void {
    while (hasRoom()) {
      if (pieces >= piecesAtMost && queue.size > (turn && queue.has(turn) ? 1 : 0)) turn = undefined;
      const [next] = turn ? [turn].filter((one) => queue.has(one)) : queue;
      if (!next) break;
      queue.delete(next);
      put(next);
    }
    if (hasRoom()) for (const source of sources) if (!queue.has(source)) readOn(source);
    if (sources.size === 0 && unwritten === 0) for (const tell of watchers.splice(0)) tell();
  }

  function put(source: Source): void {
    const all = Buffer.concat(source.parts);
    const bytes = all.subarray(0, source.due);
    source.parts = bytes.length < all.length ? [all.subarray(source.due)] : [];
    source.size = all.length - bytes.length;
    source.due = 0;
    if (!isAtBegin && last !== source) write(Buffer.of(newline));
    write(bytes);
    last = source;
    isAtBegin = bytes.at(-1) === newline;
    pieces = turn === source ? pieces + 1 : 1;
    turn = isAtBegin || source.hasEnded ? undefined : source;
    if (source.hasEnded) sources.delete(source);
    else waitForMore(source);
  }

  function write(bytes: Buffer): void {
    unwritten += bytes.length;
    // Called too when the reader is gone: the bytes are lost then, and nobody waits.
    target.write(bytes, () => {
      unwritten -= bytes.length;
      taken++;
      pump();
    });
  }

  function readOn(source: Source): void {
    const { resume } = source;
    if (!resume) return;
    source.resume = undefined;
    resume();
    waitForMore(source);
  }

  // What is not read cannot go on.
  function waitForMore(source: Source): void {
    source.stopWaiting?.();
    source.stopWaiting = undefined;
    if (source.resume || (source.size === source.due && turn !== source)) return;
    source.stopWaiting = clock.after(patience, () => {
      source.stopWaiting = undefined;
      if (source.size > source.due) letGo(source);
      else if (turn === source) turn = undefined;
      pump();
    });
  }

  function letGo(source: Source, bytes = source.size): void {
    source.due = bytes;
    queue.add(source);
  }

  function take(source: Source, chunk: Buffer): Promise<void> | undefined {
    source.parts.push(chunk);
    source.size += chunk.length;
    const whole = chunk.lastIndexOf(newline) + 1;
    if (whole > 0) letGo(source, source.size - chunk.length + whole);
    else if (turn === source) letGo(source);
    if (source.size - source.due >= heldAtMost) letGo(source);
    if (whole > 0 || !source.stopWaiting) waitForMore(source);
    pump();
    if (hasRoom() && !queue.has(source)) return undefined;
    return new Promise((resolve) => {
      source.resume = resolve;
      waitForMore(source);
    });
  }

  function end(source: Source): void {
    source.hasEnded = true;
    source.stopWaiting?.();
    if (source.size > 0) letGo(source);
    else {
      sources.delete(source);
      if (turn === source) turn = undefined;
    }
    pump();
  }

  return {
    open() {
      const source: Source = {
        parts: [],
        size: 0,
        due: 0,
        hasEnded: false,
        resume: undefined,
        stopWaiting: undefined,
      };
      sources.add(source);
      return { write: (chunk) => take(source, chunk), end: () => end(source) };
    },
    settled() {
      return new Promise((resolve) => {
        let before = taken;
        const look = () => {
          if (taken === before) return resolve();
          before = taken;
          stopWaiting = clock.after(patienceAtEnd, look);
        };
        let stopWaiting = clock.after(patienceAtEnd, look);
        watchers.push(() => {
          stopWaiting();
          resolve();
        });
        pump();
      });
    },
  };
}
