/** `ctx.secrets`: secrets through the sidecar's HTTP API. Nothing is kept: each call asks the store. */
import { frameworkError } from "../core/errors";
import { isRecord } from "../core/value";
import type { SecretOptions, Secrets } from "../functions/state-types";
import { readJsonOrText } from "./reply";
import type { SidecarCaller, SidecarClient } from "./sidecar-client";
import { isDuration, isPathPart, metadataQuery, textsOf } from "./wire";

export interface SecretAccess {
  sidecar: SidecarClient;
  caller: SidecarCaller;
}

export function createSecrets({ sidecar, caller }: SecretAccess): Secrets {
  return {
    async get(name, options) {
      if (typeof name !== "string" || name === "") throw wrong("the name must be a text that is not empty");
      if (!isPathPart(name)) throw wrong(`the name cannot be ${JSON.stringify(name)}: no URL can hold it`);
      const { store, metadata = {}, timeoutMs }: SecretOptions = optionsOf(options);
      const from = store ?? (await onlyStore(sidecar, caller, timeoutMs));
      const texts = textsOf(metadata, (field, why) => wrong(`metadata.${field} ${why}`));
      const query = metadataQuery(texts);
      const path = `/v1.0/secrets/${encodeURIComponent(from)}/${encodeURIComponent(name)}`;
      const request = { path: query === "" ? path : `${path}?${query}`, timeoutMs };
      const { body } = await sidecar.call({ method: "GET", ...request }, caller);
      return secretOf(name, readJsonOrText(body));
    },
  };
}

function optionsOf(options: unknown): SecretOptions {
  if (options === undefined || options === null) return {};
  if (!isRecord(options)) throw wrong('its second argument is { store: "NAME" }');
  const { store, metadata, timeoutMs, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw wrong(`its option "${unknown}" is unknown: there are store, metadata, timeoutMs`);
  if (store !== undefined && !(typeof store === "string" && store)) throw wrong("store must be a name");
  if (metadata !== undefined && !isRecord(metadata)) throw wrong("metadata must be an object of texts");
  if (timeoutMs !== undefined && !isDuration(timeoutMs))
    throw wrong("timeoutMs must be milliseconds, more than 0");
  return options;
}

// Dapr: {name: value}; a store that keeps several keys under one name answers with all of them.
function secretOf(name: string, pairs: unknown): string | Record<string, string> | undefined {
  if (!isRecord(pairs)) return undefined;
  const keys = Object.keys(pairs);
  if (keys.length === 0) return undefined;
  return keys.length === 1 && keys[0] === name ? String(pairs[name]) : (pairs as Record<string, string>);
}

// What a sidecar has does not change while it runs, so the answer is kept for each client.
const known = new WeakMap<SidecarClient, string>();

async function onlyStore(
  sidecar: SidecarClient,
  caller: SidecarCaller,
  timeoutMs: number | undefined,
): Promise<string> {
  const before = known.get(sidecar);
  if (before !== undefined) return before;
  const { body } = await sidecar.call({ method: "GET", path: "/v1.0/metadata", timeoutMs }, caller);
  const stores = secretStoresOf(readJsonOrText(body));
  const [only] = stores;
  if (only === undefined || stores.length > 1) throw frameworkError("FF_SECRET_STORE", { known: stores });
  known.set(sidecar, only);
  return only;
}

function secretStoresOf(metadata: unknown): string[] {
  const components = isRecord(metadata) && Array.isArray(metadata.components) ? metadata.components : [];
  const stores = components
    .filter(isRecord)
    .filter(({ type }) => String(type).toLowerCase().startsWith("secretstores."));
  // On Kubernetes every sidecar has this one, declared or not.
  if (stores.length === 0 && process.env.KUBERNETES_SERVICE_HOST) return ["kubernetes"];
  return stores.map(({ name }) => String(name));
}

function wrong(why: string): Error {
  return frameworkError("FF_SECRET_ARGUMENT", { why });
}
