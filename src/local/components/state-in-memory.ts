/** state.in-memory: gone with the runtime, that is, not with the function. */
import { randomUUID } from "node:crypto";

import {
  type ComponentType,
  EtagMismatchError,
  type StateComponent,
  type StateItem,
  type StateWrite,
} from "./component";
import { readMetadata } from "./metadata";
import { keyPrefixOf } from "./state-key-prefix";

export const stateInMemory: ComponentType = {
  names: ["state.in-memory"],
  usesBroker: false,
  open(spec, { appId }): StateComponent {
    const items = new Map<string, StateItem>();

    function read(key: string): StateItem | undefined {
      const item = items.get(key);
      if (item?.expires === undefined || item.expires > Date.now()) return item;
      items.delete(key);
      return undefined;
    }

    function check({ key, etag, firstWrite }: StateWrite): void {
      const item = read(key);
      if (etag === undefined) {
        if (firstWrite && item) throw new EtagMismatchError(`"${key}" exists, and no etag was given`);
      } else if (item?.etag !== etag) {
        throw new EtagMismatchError(`"${key}" ${item ? "has another etag" : "does not exist"}`);
      }
    }

    return {
      kind: "state",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address: null,
      capabilities: ["ETAG", "TRANSACTIONAL", "TTL"],
      keyPrefix: keyPrefixOf(spec, readMetadata(spec, appId), appId),
      get: async (key) => read(key),

      async write(writes) {
        dropExpired(items);
        writes.forEach(check);
        for (const { key, value, ttl } of writes) {
          if (value === undefined) items.delete(key);
          else {
            const expires = ttl ? Date.now() + ttl * 1000 : undefined;
            items.set(key, { value, etag: randomUUID(), expires });
          }
        }
      },

      stop: async () => items.clear(),
    };
  },
};

const sweepAbove = 1000; // items; below that, expired ones go when they are asked for

function dropExpired(items: Map<string, StateItem>): void {
  if (items.size < sweepAbove) return;
  const now = Date.now();
  for (const [key, { expires }] of items) if (expires !== undefined && expires <= now) items.delete(key);
}
