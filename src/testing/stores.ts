/** State stores and secrets of tests, in memory. */
import type {
  ComponentSpec,
  LocalComponent,
  SecretStoreComponent,
  StateComponent,
} from "../local/components/component";
import { stateInMemory } from "../local/components/state-in-memory";

/** By name; an object is a secret of several keys. */
export type TestSecrets = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/** What a test sees of the state stores. `store` is a name of the function context's `states`; default: the first one. */
export interface TestState {
  /** Undefined when there is none. */
  get(key: string, store?: string): Promise<unknown>;
  set(key: string, value: unknown, store?: string): Promise<void>;
  /** All that is there, by key. */
  all(store?: string): Promise<Record<string, unknown>>;
}

/** A store whose keys can be listed; the kind that the context declares does not matter. */
export interface ListedStore extends StateComponent {
  keys(): readonly string[];
}

export function openStore(spec: ComponentSpec): ListedStore {
  const store = stateInMemory.open(spec, { appId: "test", onNotice: () => undefined }) as StateComponent;
  const keys = new Set<string>();
  return {
    ...store,
    type: spec.type,
    keys: () => [...keys],
    async write(writes) {
      await store.write(writes);
      for (const { key } of writes) keys.add(key);
    },
  };
}

/** `stores`: by the names of the context, in its order. */
export function testState(stores: ReadonlyMap<string, ListedStore>): TestState {
  const pick = (name = stores.keys().next().value as string) => {
    const store = stores.get(name);
    if (store) return store;
    throw new TypeError(
      `There is no state store "${name}"; there are: ${[...stores.keys()].join(", ") || "none"}.`,
    );
  };
  const read = async (store: ListedStore, key: string) => {
    const item = await store.get(key);
    return item && JSON.parse(item.value);
  };
  return {
    get: async (key, name) => read(pick(name), pick(name).keyPrefix + key),
    async set(key, value, name) {
      const store = pick(name);
      const write = { key: store.keyPrefix + key, value: JSON.stringify(value) };
      await store.write([{ ...write, etag: undefined, firstWrite: false, ttl: undefined }]);
    },
    async all(name) {
      if (name === undefined && stores.size === 0) return {};
      const store = pick(name);
      const found: [string, unknown][] = [];
      for (const key of store.keys()) {
        const value = await read(store, key);
        if (value !== undefined) found.push([key.slice(store.keyPrefix.length), value]);
      }
      return Object.fromEntries(found);
    },
  };
}

/** Dapr's answer to a secret is its pairs; mostly one, under the secret's own name. */
export function openSecrets(spec: ComponentSpec, secrets: TestSecrets): SecretStoreComponent {
  const pairsOf = (name: string, value: TestSecrets[string]): Record<string, string> =>
    typeof value === "string" ? { [name]: value } : { ...value };
  return {
    kind: "secretstore",
    ...baseOf(spec),
    get(name) {
      const value = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
      if (value === undefined) throw new Error(`secret ${name} not found`);
      return pairsOf(name, value);
    },
    all: () =>
      Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, pairsOf(name, value)])),
  };
}

/** What all components in memory have alike. */
export function baseOf({ name, type, version }: ComponentSpec) {
  return { name, type, version, address: null, capabilities: [], stop: async () => undefined } satisfies Omit<
    LocalComponent,
    "kind"
  >;
}
