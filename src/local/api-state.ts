/** `/v1.0/state/{store}`: states, bulk and transactions. */
import { messageOf } from "../core/errors";
import { isRecord } from "../core/value";
import { metadataValue } from "../dapr/metadata";
import { type Call, fail, noContent, queryMetadata, readBody, replyData } from "./call";
import {
  EtagInvalidError,
  EtagMismatchError,
  type LocalComponent,
  type StateComponent,
  type StateItem,
  type StateWrite,
} from "./components/component";
import { sortKeys } from "./json-again";

type Components = ReadonlyMap<string, LocalComponent>;

export async function saveState(components: Components, call: Call, name: string): Promise<void> {
  const store = findStore(components, name);
  const entries = readBody(call.body);
  if (!Array.isArray(entries)) return malformed("the body must be a list of entries");
  const shared = queryMetadata(call.query);
  const writes = entries.map((entry) => readWrite(store, entry, shared));
  for (const [index, { key }] of writes.entries())
    if (key === store.keyPrefix) malformed(`entry ${index} has no key`);
  await write(store, writes, "ERR_STATE_SAVE");
  noContent(call.res);
}

export async function getState(components: Components, call: Call, name: string, key: string): Promise<void> {
  const store = findStore(components, name);
  const item = await read(store, key);
  if (!item) return noContent(call.res);
  call.res.setHeader("ETag", item.etag);
  for (const [field, value] of Object.entries(metadataOf(item)))
    call.res.setHeader(`metadata.${field}`, value);
  replyData(call.res, Buffer.from(item.value));
}

export async function deleteState(
  components: Components,
  call: Call,
  name: string,
  key: string,
): Promise<void> {
  const store = findStore(components, name);
  const etag = call.req.headers["if-match"];
  const firstWrite = call.query.get("concurrency") === "first-write";
  const one = { key: keyOf(store, key), value: undefined, etag, firstWrite, ttl: undefined };
  await write(store, [one], "ERR_STATE_DELETE");
  noContent(call.res);
}

export async function getStates(components: Components, call: Call, name: string): Promise<void> {
  const store = findStore(components, name);
  const request = readBody(call.body);
  const { keys } = isRecord(request) ? request : {};
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string"))
    return malformed("keys must be a list of texts");
  const parts = await Promise.all(
    keys.map(async (key: string) => {
      const item = await read(store, key);
      if (!item) return JSON.stringify({ key });
      const rest = JSON.stringify({ etag: item.etag, metadata: metadataOf(item) }).slice(1);
      return `{"key":${JSON.stringify(key)},"data":${item.value},${rest}`;
    }),
  );
  replyData(call.res, Buffer.from(`[${parts.join(",")}]`));
}

export async function transactState(components: Components, call: Call, name: string): Promise<void> {
  const store = findStore(components, name);
  const request = readBody(call.body);
  const { operations = [], metadata } = isRecord(request) ? request : {};
  if (!Array.isArray(operations)) return malformed("operations must be a list");
  const shared = { ...queryMetadata(call.query), ...textsOf(metadata) };
  const writes = operations.map((one) => {
    const { operation, request: entry } = isRecord(one) ? one : {};
    if (operation !== "upsert" && operation !== "delete")
      fail(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", `operation type ${String(operation)} not supported`);
    const asked = readWrite(store, entry, shared);
    return operation === "delete" ? { ...asked, value: undefined } : asked;
  });
  await write(store, writes, "ERR_STATE_TRANSACTION");
  noContent(call.res);
}

export function queryState(components: Components, _call: Call, name: string): void {
  findStore(components, name);
  const text = `state store ${name} doesn't support the query API`;
  fail(500, "ERR_STATE_STORE_NOT_SUPPORTED", text);
}

function findStore(components: Components, name: string): StateComponent {
  const component = components.get(name);
  if (component?.kind === "state") return component;
  if (![...components.values()].some(({ kind }) => kind === "state"))
    fail(500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store is not configured");
  return fail(400, "ERR_STATE_STORE_NOT_FOUND", `state store ${name} is not found`);
}

async function read(store: StateComponent, key: string): Promise<StateItem | undefined> {
  return store
    .get(keyOf(store, key))
    .catch((err) => fail(500, "ERR_STATE_GET", `fail to get ${key} from ${store.name}: ${messageOf(err)}`));
}

async function write(store: StateComponent, writes: readonly StateWrite[], errorCode: string): Promise<void> {
  if (writes.length === 0) return;
  await store.write(writes).catch((err) => {
    const text = `failed in state store ${store.name}: ${messageOf(err)}`;
    const isTransaction = errorCode === "ERR_STATE_TRANSACTION";
    if (err instanceof EtagMismatchError)
      fail(isTransaction ? 500 : 409, errorCode, `${text} (possible etag mismatch)`);
    if (err instanceof EtagInvalidError) fail(isTransaction ? 500 : 400, errorCode, text);
    fail(500, errorCode, text);
  });
}

function readWrite(store: StateComponent, entry: unknown, shared: Record<string, string>): StateWrite {
  if (!isRecord(entry)) return malformed("an entry must be an object");
  const { key = "", value = null, etag, options, metadata } = entry;
  if (typeof key !== "string") return malformed("key must be a text");
  if (etag !== undefined && etag !== null && typeof etag !== "string")
    return malformed("etag must be a text");
  return {
    key: keyOf(store, key),
    value: JSON.stringify(sortKeys(value)),
    etag: etag || undefined,
    firstWrite: readConcurrency(options) === "first-write",
    ttl: readTtl({ ...shared, ...textsOf(metadata) }),
  };
}

const concurrencies = ["", "first-write", "last-write"];

function readConcurrency(options: unknown): string {
  const { concurrency = "", consistency = "" } = isRecord(options) ? options : {};
  if (!concurrencies.includes(String(concurrency)))
    fail(500, "ERR_STATE_SAVE", `unrecognized concurrency model ${String(concurrency)}`);
  if (!["", "eventual", "strong"].includes(String(consistency)))
    fail(500, "ERR_STATE_SAVE", `unrecognized consistency model ${String(consistency)}`);
  return String(concurrency);
}

// Dapr: a whole number of at least -1; up to 0 it never expires.
function readTtl(metadata: Record<string, string>): number | undefined {
  const text = metadataValue(metadata, "ttlInSeconds");
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < -1 || seconds > 2 ** 31)
    fail(500, "ERR_STATE_SAVE", `ttlInSeconds must be a whole number of at least -1, not "${text}"`);
  return Math.max(seconds, 0);
}

function metadataOf({ expires }: StateItem): Record<string, string> {
  return expires === undefined ? {} : { ttlExpireTime: new Date(expires).toISOString() };
}

function keyOf(store: StateComponent, key: string): string {
  if (key.includes("||")) malformed(`a key must not hold "||": ${key}`);
  return store.keyPrefix + key;
}

function textsOf(metadata: unknown): Record<string, string> {
  if (metadata === undefined || metadata === null) return {};
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== "string"))
    return malformed("metadata values must be strings");
  return metadata as Record<string, string>;
}

function malformed(why: string): never {
  return fail(400, "ERR_MALFORMED_REQUEST", why);
}
