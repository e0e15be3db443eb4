/**
 * `--log-execution-id`: what the function writes to stdout and stderr becomes JSON lines that carry the id of the
 * invocation, in the form that Google's logging reads. Outside of an invocation nothing changes.
 */
import { types } from "node:util";

import { currentInvocation, type Invocation } from "../core/invocation";
import { configureLog, isLabelledLine, type LogFields, logSettings } from "../core/log";

type Write = (chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;

/** Patches both streams, and has the logger label its own lines; the returned function undoes it. */
export function installExecutionLog(): () => void {
  const { severity, label } = logSettings();
  const undo = [process.stdout, process.stderr].map(patch);
  configureLog({ severity: true, label: labelLine });
  return () => {
    configureLog({ severity, label });
    for (const one of undo) one();
  };
}

function labelLine(line: LogFields): void {
  const invocation = currentInvocation();
  if (invocation) addLabels(line, invocation);
}

function patch(stream: NodeJS.WriteStream): () => void {
  const write = stream.write as Write;
  const isError = stream === process.stderr;
  const labelled: Write = (chunk, encoding, callback) => {
    const invocation = isError && isLabelledLine() ? undefined : currentInvocation();
    const line = invocation && lineOf(invocation, chunk, encoding, isError);
    if (line === undefined) return write.call(stream, chunk, encoding, callback);
    return write.call(stream, line, "utf8", typeof encoding === "function" ? encoding : callback);
  };
  stream.write = labelled as typeof stream.write;
  return () => {
    stream.write = write as typeof stream.write;
  };
}

// Undefined: written as it is. A failure in here must never reach the code that logs.
function lineOf(
  invocation: Invocation,
  chunk: unknown,
  encoding: unknown,
  isError: boolean,
): string | undefined {
  try {
    const text = textOf(chunk, encoding);
    if (text === undefined || text === "") return undefined;
    return `${JSON.stringify(labelledEntry(invocation, text, isError))}\n`;
  } catch {
    return undefined;
  }
}

function textOf(chunk: unknown, encoding: unknown): string | undefined {
  if (typeof chunk === "string") {
    const isText = typeof encoding !== "string" || /^utf-?8$/i.test(encoding);
    return isText ? chunk : Buffer.from(chunk, encoding as BufferEncoding).toString("utf8");
  }
  return types.isUint8Array(chunk) ? Buffer.from(chunk).toString("utf8") : undefined;
}

const labelsKey = "logging.googleapis.com/labels";
const spanKey = "logging.googleapis.com/spanId";
const traceKey = "logging.googleapis.com/trace";

function labelledEntry(invocation: Invocation, text: string, isError: boolean): LogFields {
  const own = parseObject(text);
  const entry = own ?? { message: text };
  if (own && isError && entry.severity === undefined) entry.severity = "ERROR";
  addLabels(entry, invocation);
  return entry;
}

/** Adds what an entry lacks of its invocation. */
function addLabels(entry: LogFields, { id, cloudTrace, trace }: Invocation): void {
  entry[labelsKey] = { ...(entry[labelsKey] as object | undefined), execution_id: id };
  if (cloudTrace && entry[spanKey] === undefined) entry[spanKey] = cloudTrace.spanId;
  if (trace && entry[traceKey] === undefined) entry[traceKey] = traceName(trace.traceId);
}

// Objects alone: a number, a text or a list is what somebody printed.
// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with one
const colours = /^(?:\u001b\[[\d;]*m)+/;

function parseObject(text: string): LogFields | undefined {
  const bare = text.replace(colours, "");
  if (!bare.startsWith("{")) return undefined;
  try {
    return JSON.parse(bare) as LogFields;
  } catch {
    return undefined;
  }
}

function traceName(traceId: string): string {
  const project = process.env.GOOGLE_CLOUD_PROJECT;
  return project ? `projects/${project}/traces/${traceId}` : traceId;
}
