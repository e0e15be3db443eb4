/** The types of `ctx.state` and `ctx.secrets`. */

/** What a call may say beside its keys. */
export interface StateOptions {
  /** A name of the function context's `states`. Default: the first one. */
  store?: string;
  /** Which write wins where two meet. Default: the store's, mostly `last-write`. */
  concurrency?: "first-write" | "last-write";
  /** Default: the store's. */
  consistency?: "eventual" | "strong";
  /** The call does nothing when the state has another one: FF_STATE_CONFLICT. For `delete`. */
  etag?: string;
  /** For the store, as Dapr documents it. Numbers and booleans go as texts. */
  metadata?: Record<string, string | number | boolean>;
  /** Milliseconds until the call counts as failed, waiting for the sidecar included. Default 30,000. */
  timeoutMs?: number;
}

export interface StateEntry {
  key: string;
  /** JSON; bytes become base64 text. */
  value?: unknown;
  /** The write is refused when the state has another one by now: FF_STATE_CONFLICT. */
  etag?: string;
  /** The entry is gone after so many seconds; -1 = never. */
  ttlInSeconds?: number;
  options?: Pick<StateOptions, "concurrency" | "consistency">;
  metadata?: Record<string, string | number | boolean>;
}

export interface StateOperation {
  operation: "upsert" | "delete";
  request: StateEntry;
}

/** A state as the store has it. */
export interface StoredState<T = unknown> {
  key: string;
  /** Undefined when there is none under the key. */
  data?: T;
  etag?: string;
  metadata?: Record<string, string>;
  /** Why this key of a bulk could not be read. */
  error?: string;
}

/** Dapr's query language: https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-state-query-api/ */
export interface StateQuery {
  filter?: Record<string, unknown>;
  sort?: { key: string; order?: "ASC" | "DESC" }[];
  page?: { limit: number; token?: string };
}

/** A store's name, or options. */
export type StateTarget = string | StateOptions;

/**
 * The state stores of the function context. Every call also takes OpenFunction's form, one object whose values are the
 * arguments: `get({ key: "a" })`, `save({ states: [...] })`. Writes belong to the outcome, as sends do.
 *
 * Errors: FF_STATE_STORE_UNKNOWN, FF_STATE_ARGUMENT, FF_STATE_CONFLICT, FF_SIDECAR_*.
 */
export interface State {
  /** Writes entries. All or nothing only where the store does so: see `transaction`. */
  save(
    entries: StateEntry | readonly StateEntry[] | Record<string, unknown>,
    target?: StateTarget,
  ): Promise<void>;
  /** The value, or undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what they stored
  get<T = any>(key: string | Record<string, unknown>, target?: StateTarget): Promise<T | undefined>;
  /** The same with etag and metadata; undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what they stored
  getEntry<T = any>(
    key: string | Record<string, unknown>,
    target?: StateTarget,
  ): Promise<StoredState<T> | undefined>;
  /** Many at once, in the order of the keys. */
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what they stored
  getBulk<T = any>(
    keys: readonly string[] | Record<string, unknown>,
    target?: StateTarget,
  ): Promise<StoredState<T>[]>;
  /** Nothing happens when there is none, unless an etag is given. */
  delete(key: string | Record<string, unknown>, target?: StateTarget): Promise<void>;
  /** All operations or none, where the store knows transactions. */
  transaction(
    operations: readonly StateOperation[] | Record<string, unknown>,
    target?: StateTarget,
  ): Promise<void>;
  /** For stores that know Dapr's query API. */
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what they stored
  query<T = any>(
    query: StateQuery | Record<string, unknown>,
    target?: StateTarget,
  ): Promise<StateQueryResult<T>>;
}

export interface StateQueryResult<T = unknown> {
  results: StoredState<T>[];
  /** For the next page. */
  token?: string;
  metadata?: Record<string, string>;
}

export interface SecretOptions {
  /** Name of the secret store. Default: the only one that the sidecar has. */
  store?: string;
  metadata?: Record<string, string | number | boolean>;
  /** Milliseconds until the call counts as failed, waiting for the sidecar included. Default 30,000. */
  timeoutMs?: number;
}

export interface Secrets {
  /**
   * The secret's value; an object when the store keeps several keys under the name.
   * Errors: FF_SECRET_STORE, FF_SECRET_ARGUMENT, FF_SIDECAR_REFUSED for one that is not there.
   */
  get(name: string, options?: SecretOptions): Promise<string | Record<string, string> | undefined>;
}
