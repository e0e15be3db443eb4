/** SkyWalking's headers: the cross-process propagation protocol, version 3, and its correlation. */
import { readCorrelation } from "./settings";

/** What `sw8` says of the caller. */
export interface Sw8 {
  isSampled: boolean;
  traceId: string;
  segmentId: string;
  spanId: number;
  service: string;
  instance: string;
  endpoint: string;
  /** Where the caller reached this service. */
  address: string;
}

/** Undefined for a header that breaks the rules. */
export function parseSw8(header: string): Sw8 | undefined {
  const [sample, traceId, segmentId, spanId, service, instance, endpoint, address, ...more] =
    header.split("-");
  if (address === undefined || more.length > 0 || !/^[01]$/.test(sample ?? "")) return undefined;
  if (!/^\d{1,9}$/.test(spanId ?? "")) return undefined;
  const texts = [traceId, segmentId, service, instance, endpoint, address].map(decode);
  if (!texts.every((text) => text !== undefined && text !== "")) return undefined;
  const [trace, segment, ...names] = texts as [string, string, string, string, string, string];
  return {
    isSampled: sample === "1",
    traceId: trace,
    segmentId: segment,
    spanId: Number(spanId),
    service: names[0],
    instance: names[1],
    endpoint: names[2],
    address: names[3],
  };
}

export function formatSw8(sw8: Sw8): string {
  const { isSampled, traceId, segmentId, spanId, service, instance, endpoint, address } = sw8;
  const names = [service, instance, endpoint, address].map(encode);
  return [isSampled ? "1" : "0", encode(traceId), encode(segmentId), spanId, ...names].join("-");
}

/** `sw8-correlation`: what the caller sent, with what is added here. Undefined when there is nothing. */
export function formatCorrelation(
  incoming: string | undefined,
  own: Record<string, string>,
): string | undefined {
  const all = { ...own, ...(incoming === undefined ? {} : readCorrelation(incoming)) };
  const pairs = Object.entries(all).map(([name, value]) => `${encode(name)}:${encode(value)}`);
  return pairs.length === 0 ? undefined : pairs.join(",");
}

const longest = 1024; // characters of one part

function decode(text: string | undefined): string | undefined {
  if (text === undefined || text.length > longest || !/^[\w+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64").toString("utf8");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
