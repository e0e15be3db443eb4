/** CloudEvents over HTTP, valid ones and those that a test makes invalid. */
import { type Reply, type RequestOptions, request } from "./http";

/** Undefined leaves a header out. */
export type EventHeaders = Record<string, string | undefined>;

export const structuredType = "application/cloudevents+json";

/** A valid event, as an object and as the headers of the binary mode. */
export const event = { id: "1", source: "/test", type: "tested", specversion: "1.0" };
export const attributes = {
  "ce-id": "1",
  "ce-source": "/test",
  "ce-type": "tested",
  "ce-specversion": "1.0",
};

export function post(url: string, headers: EventHeaders, body?: RequestOptions["body"]): Promise<Reply> {
  const stated = Object.entries(headers).filter(([, value]) => value !== undefined) as [string, string][];
  return request(url, { method: "POST", headers: Object.fromEntries(stated), body });
}

/** The valid event in binary mode; the headers change or add to it. */
export function postBinary(url: string, headers: EventHeaders = {}, body?: RequestOptions["body"]) {
  return post(url, { ...attributes, ...headers }, body);
}

export function postStructured(url: string, value: unknown, headers: EventHeaders = {}) {
  return post(url, { "Content-Type": structuredType, ...headers }, JSON.stringify(value));
}
