/** `ctx.state`: the state stores of the function context through the sidecar's HTTP API. */
import { frameworkError, isFrameworkError } from "../core/errors";
import { isRecord } from "../core/value";
import type {
  State,
  StateOptions,
  StateQueryResult,
  StateTarget,
  StoredState,
} from "../functions/state-types";
import type { ClientReply } from "./client";
import { readJsonOrText, replyMetadata } from "./reply";
import type { SidecarCaller, SidecarClient, SidecarRefusal, SidecarRequest } from "./sidecar-client";
import {
  behaviourOf,
  entriesOf,
  entryText,
  keysOf,
  metadataOf,
  operationsOf,
  optionsOf,
  queryOf,
  singleKeyOf,
  wrongArgument,
} from "./state-arguments";
import { metadataQuery } from "./wire";

export interface StateAccess {
  sidecar: SidecarClient;
  /** `states` of the function context, as it was written. */
  states: unknown;
  caller: SidecarCaller;
  /** Makes a write part of the outcome. */
  track<T>(work: Promise<T>): Promise<T>;
}

const json = { "content-type": "application/json" };

/** The stores of one invocation; nothing is asked before the first call. */
export function createState({ sidecar, states, caller, track }: StateAccess): State {
  const stores = readStores(states);

  async function ask(
    store: Store,
    keys: readonly string[],
    { timeoutMs }: StateOptions,
    request: Omit<SidecarRequest, "timeoutMs">,
  ): Promise<ClientReply> {
    try {
      return await sidecar.call({ ...request, timeoutMs }, caller);
    } catch (err) {
      throw conflictOr(err, store, keys);
    }
  }

  async function save(data: unknown, target: StateOptions): Promise<void> {
    const store = pick(stores, target);
    const entries = entriesOf("save", data);
    if (entries.length === 0) return;
    const body = `[${entries.map((entry) => entryText("save", entry, target)).join(",")}]`;
    const path = withQuery(`/v1.0/state/${store.path}`, metadataOf("save", target.metadata));
    const keys = entries.map(({ key }) => key);
    await ask(store, keys, target, { method: "POST", path, headers: json, body });
  }

  async function read(data: unknown, target: StateOptions): Promise<StoredState | undefined> {
    const store = pick(stores, target);
    const key = singleKeyOf("get", data);
    const { consistency } = behaviourOf("get", target);
    const path = keyPath(store, key, { consistency }, metadataOf("get", target.metadata));
    const { status, headers, body } = await ask(store, [key], target, { method: "GET", path });
    if (status === 204 || body.length === 0) return undefined;
    const { etag } = headers;
    const metadata = replyMetadata(headers);
    return {
      key,
      data: readJsonOrText(body),
      ...(etag !== undefined && { etag: String(etag) }),
      ...(Object.keys(metadata).length > 0 && { metadata }),
    };
  }

  async function readBulk(data: unknown, target: StateOptions): Promise<StoredState[]> {
    const store = pick(stores, target);
    const { keys, parallelism, metadata } = keysOf("getBulk", data);
    if (keys.length === 0) return [];
    const path = withQuery(`/v1.0/state/${store.path}/bulk`, {
      ...metadataOf("getBulk", metadata),
      ...metadataOf("getBulk", target.metadata),
    });
    const body = JSON.stringify({ keys, parallelism: parallelism ?? 10 });
    const reply = await ask(store, keys, target, { method: "POST", path, headers: json, body });
    const items = readJsonOrText(reply.body);
    const found = new Map(storedStates(items).map((item) => [item.key, item]));
    return keys.map((key) => found.get(key) ?? { key }); // a sidecar answers in any order
  }

  async function remove(data: unknown, target: StateOptions): Promise<void> {
    const store = pick(stores, target);
    const key = singleKeyOf("delete", data);
    const { etag } = target;
    if (etag !== undefined && !/^[\x21-\x7e]+$/.test(etag)) throw wrongArgument("delete", "the etag is none");
    const path = keyPath(store, key, behaviourOf("delete", target), metadataOf("delete", target.metadata));
    const headers: Record<string, string> = etag === undefined ? {} : { "if-match": etag };
    await ask(store, [key], target, { method: "DELETE", path, headers });
  }

  async function transact(data: unknown, target: StateOptions): Promise<void> {
    const store = pick(stores, target);
    const { operations, metadata } = operationsOf("transaction", data);
    if (operations.length === 0) return;
    const texts = operations.map(
      ({ operation, request }) =>
        `{"operation":"${operation}","request":${entryText("transaction", request, target)}}`,
    );
    const all = { ...metadataOf("transaction", metadata), ...metadataOf("transaction", target.metadata) };
    const end = Object.keys(all).length > 0 ? `,"metadata":${JSON.stringify(all)}}` : "}";
    const body = `{"operations":[${texts.join(",")}]${end}`;
    const keys = operations.map(({ request }) => request.key);
    const path = `/v1.0/state/${store.path}/transaction`;
    await ask(store, keys, target, { method: "POST", path, headers: json, body });
  }

  async function find(data: unknown, target: StateOptions): Promise<StateQueryResult> {
    const store = pick(stores, target);
    const body = JSON.stringify(queryOf("query", data));
    const base = `/v1.0-alpha1/state/${store.path}/query`;
    const path = withQuery(base, metadataOf("query", target.metadata));
    const reply = await ask(store, [], target, { method: "POST", path, headers: json, body });
    const { results, token, metadata } = (readJsonOrText(reply.body) ?? {}) as Record<string, unknown>;
    return {
      results: storedStates(results),
      ...(typeof token === "string" && token !== "" && { token }),
      ...(isRecord(metadata) && { metadata: metadata as Record<string, string> }),
    };
  }

  type Call<T> = (data: unknown, target: StateOptions) => Promise<T>;
  // Arguments are taken down at the call: what becomes of an object afterwards does not matter.
  const reading =
    <T>(name: string, call: Call<T>) =>
    async (data: unknown, target?: StateTarget) =>
      call(data, optionsOf(name, target));
  const writing = (name: string, call: Call<void>) => {
    const write = reading(name, call);
    return (data: unknown, target?: StateTarget) => track(write(data, target));
  };
  return {
    save: writing("save", save),
    get: reading("get", async (key, target) => (await read(key, target))?.data),
    getEntry: reading("getEntry", read),
    getBulk: reading("getBulk", readBulk),
    delete: writing("delete", remove),
    transaction: writing("transaction", transact),
    query: reading("query", find),
  } as State;
}

interface Store {
  name: string;
  /** The component's name as a part of a path. */
  path: string;
}

function readStores(states: unknown): Map<string, Store> {
  const stores = new Map<string, Store>();
  if (!isRecord(states)) return stores;
  for (const [name, state] of Object.entries(states)) {
    const component = isRecord(state) && typeof state.componentName === "string" ? state.componentName : "";
    stores.set(name, { name, path: encodeURIComponent(component || name) });
  }
  return stores;
}

/** The named store, by its name in the context or its component's; the first one without a name. */
function pick(stores: ReadonlyMap<string, Store>, { store: name }: StateOptions): Store {
  const [first] = stores.values();
  const found = name === undefined ? first : (stores.get(name) ?? byComponent(stores, name));
  if (found) return found;
  const store = stores.size === 0 ? undefined : String(name);
  throw frameworkError("FF_STATE_STORE_UNKNOWN", { store, known: [...stores.keys()] });
}

function byComponent(stores: ReadonlyMap<string, Store>, name: string): Store | undefined {
  return [...stores.values()].find(({ path }) => path === encodeURIComponent(name));
}

function keyPath(
  { path }: Store,
  key: string,
  options: Record<string, string | undefined>,
  metadata: Record<string, string>,
): string {
  const stated = Object.entries(options).flatMap(([name, word]) => (word ? [`${name}=${word}`] : []));
  const query = [...stated, ...(Object.keys(metadata).length > 0 ? [metadataQuery(metadata)] : [])].join("&");
  return `/v1.0/state/${path}/${encodeURIComponent(key)}${query === "" ? "" : `?${query}`}`;
}

function withQuery(path: string, metadata: Record<string, string>): string {
  const query = metadataQuery(metadata);
  return query === "" ? path : `${path}?${query}`;
}

// Dapr says 409 of a single write; a transaction that fails for an etag says so in its message only.
function conflictOr(err: unknown, { name }: Store, keys: readonly string[]): unknown {
  if (!isFrameworkError(err) || err.code !== "FF_SIDECAR_REFUSED") return err;
  const { status, message } = err.cause as SidecarRefusal;
  const isConflict = status === 409 || /etag mismatch/i.test(message);
  if (!isConflict) return err;
  const details = { store: name, keys: [...keys], text: message };
  return frameworkError("FF_STATE_CONFLICT", details, { cause: err.cause });
}

function storedStates(items: unknown): StoredState[] {
  if (!Array.isArray(items)) return [];
  return items.filter(isRecord).map(({ key, data, etag, metadata, error }) => ({
    key: String(key),
    ...(data !== undefined && { data }),
    ...(etag !== undefined && etag !== null && { etag: String(etag) }),
    ...(isRecord(metadata) && { metadata: metadata as Record<string, string> }),
    ...(typeof error === "string" && error !== "" && { error }),
  }));
}
