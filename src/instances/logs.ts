/** What the instances of a function wrote lately, in rings of a bounded size. */
import { EventEmitter, once } from "node:events";

import type { Clock } from "../core/clock";
import { createLineReader } from "./lines";

export interface LogLine {
  /** ISO 8601. */
  ts: string;
  /** Id of the instance. */
  instance: string;
  stream: "stdout" | "stderr";
  text: string;
}

export interface ReadLogsOptions {
  /** So many of the last lines; default all that are kept. */
  tail?: number;
  /** Goes on with what comes. */
  follow?: boolean;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

export interface FunctionLogs {
  /** Bytes of one instance, as they come. */
  write(instance: string, stream: LogLine["stream"], chunk: Buffer): void;
  /** Its process has ended: the last line may have no end. */
  endProcess(instance: string): void;
  /** The instance is gone for good; the lines of the last few of those are kept. */
  retire(instance: string): void;
  /** In order. A reader that does not keep up misses what falls out of the ring meanwhile. */
  read(options?: ReadLogsOptions): AsyncGenerator<LogLine>;
  /** Nothing comes any more: who follows is at the end. */
  close(): void;
}

const lineLimit = 64 * 1024; // bytes
const ringLimit = 1024 * 1024; // characters of one instance
const retiredAtMost = 5;

export function createLogs(clock: Pick<Clock, "now">): FunctionLogs {
  const rings = new Map<string, Ring>();
  const retired: string[] = [];
  const news = new EventEmitter().setMaxListeners(0);
  let last = 0;
  let isClosed = false;

  function ringOf(instance: string): Ring {
    const existing = rings.get(instance);
    if (existing) return existing;
    const add = (stream: LogLine["stream"]) => (text: string) => {
      const line = { ts: new Date(clock.now()).toISOString(), instance, stream, text };
      ring.add({ number: ++last, line });
      news.emit("line");
    };
    const ring = createRing({
      stdout: createLineReader(lineLimit, add("stdout")),
      stderr: createLineReader(lineLimit, add("stderr")),
    });
    rings.set(instance, ring);
    return ring;
  }

  function linesAfter(number: number): NumberedLine[] {
    const found = [...rings.values()].flatMap((ring) => ring.after(number));
    return found.sort((one, other) => one.number - other.number);
  }

  return {
    write: (instance, stream, chunk) => ringOf(instance).readers[stream].write(chunk),
    endProcess(instance) {
      const { stdout, stderr } = ringOf(instance).readers;
      stdout.end();
      stderr.end();
    },
    retire(instance) {
      if (!rings.has(instance)) return;
      retired.push(instance);
      if (retired.length > retiredAtMost) rings.delete(retired.shift() ?? "");
    },
    async *read({ tail = Number.POSITIVE_INFINITY, follow = false, signal } = {}) {
      let seen = last;
      const kept = linesAfter(0);
      for (const { line } of kept.slice(Math.max(0, kept.length - tail))) yield line;
      while (follow && !signal?.aborted) {
        const fresh = linesAfter(seen);
        seen = fresh.at(-1)?.number ?? seen;
        for (const { line } of fresh) yield line;
        if (fresh.length > 0) continue;
        if (isClosed) return;
        await once(news, "line", signal ? { signal } : {}).catch(() => undefined); // aborted: the loop sees it
      }
    },
    close() {
      isClosed = true;
      news.emit("line");
    },
  };
}

interface NumberedLine {
  number: number;
  line: LogLine;
}

function createRing(readers: Record<LogLine["stream"], ReturnType<typeof createLineReader>>) {
  let lines: NumberedLine[] = [];
  let begin = 0; // before it are lines that have fallen out
  let size = 0;
  const sizeOf = ({ line }: NumberedLine) => line.text.length + 100; // its other fields cost too

  return {
    readers,
    add(one: NumberedLine) {
      lines.push(one);
      size += sizeOf(one);
      for (let oldest = lines[begin]; size > ringLimit && oldest; oldest = lines[begin]) {
        size -= sizeOf(oldest);
        begin++;
      }
      if (begin > lines.length / 2) {
        lines = lines.slice(begin);
        begin = 0;
      }
    },
    after(number: number): NumberedLine[] {
      let from = lines.length;
      while (from > begin && (lines[from - 1]?.number ?? 0) > number) from--;
      return lines.slice(from);
    },
  };
}

type Ring = ReturnType<typeof createRing>;
