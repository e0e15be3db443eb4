/** state.redis: a hash of `data` and `version` for each key, as Dapr keeps it, so that both can read what the other wrote. */
import type { Redis, RedisOptions } from "ioredis";

import { frameworkError, messageOf } from "../../core/errors";
import {
  type ComponentEnvironment,
  type ComponentSpec,
  type ComponentType,
  EtagInvalidError,
  EtagMismatchError,
  type StateComponent,
  type StateWrite,
} from "./component";
import { type Metadata, readMetadata } from "./metadata";
import { findPackage } from "./package";
import { keyPrefixOf } from "./state-key-prefix";

export const stateRedis: ComponentType = {
  names: ["state.redis"],
  usesBroker: false,
  open(spec, environment): StateComponent {
    const metadata = readMetadata(spec, environment.appId);
    const options = readOptions(spec, metadata);
    const load = findPackage(spec, "ioredis") as () => typeof import("ioredis");
    const defaultTtl = metadata.whole("ttlInSeconds", 0, -1, 2 ** 31);
    const address = `redis://${options.host}:${options.port}/${options.db}`;
    let redis: Redis | undefined;

    // Not before the first call: a component that nobody uses needs no server, nor 50 ms for its client.
    function connection(): Redis {
      if (redis) return redis;
      redis = new (load().Redis)(options);
      tellOfTrouble(redis, spec.name, address, environment);
      return redis;
    }

    return {
      kind: "state",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address,
      capabilities: ["ETAG", "TRANSACTIONAL", "TTL"],
      keyPrefix: keyPrefixOf(spec, metadata, environment.appId),

      async get(key) {
        const client = connection();
        const [[value, etag], left] = await Promise.all([
          client.hmget(key, "data", "version"),
          client.pttl(key),
        ]);
        if (value === null || value === undefined) return undefined;
        return { value, etag: etag ?? "0", expires: left > 0 ? Date.now() + left : undefined };
      },

      async write(writes) {
        const args = writes.flatMap((write) => argumentsOf(write, defaultTtl));
        const keys = writes.map(({ key }) => key);
        const refused = (await connection().eval(script, keys.length, ...keys, ...args)) as number;
        if (refused > 0) throw new EtagMismatchError(`"${keys[refused - 1]}" is not what the write expected`);
      },

      stop: async () => redis?.disconnect(),
    };
  },
};

// All checks, then all writes: a script runs alone. Redis has no version 0, so a first write of an etag meets none.
const script = `
for i, key in ipairs(KEYS) do
  local etag, first = ARGV[i * 5 - 2], ARGV[i * 5 - 1]
  local version = redis.call('HGET', key, 'version')
  if etag ~= '' then
    if version ~= etag then return i end
  elseif first == '1' and version then
    return i
  end
end
for i, key in ipairs(KEYS) do
  local kind, data, ttl = ARGV[i * 5 - 4], ARGV[i * 5 - 3], tonumber(ARGV[i * 5])
  if kind == 'delete' then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'data', data)
    redis.call('HINCRBY', key, 'version', 1)
    if ttl > 0 then redis.call('EXPIRE', key, ttl) else redis.call('PERSIST', key) end
  end
end
return 0`;

function argumentsOf({ value, etag = "", firstWrite, ttl }: StateWrite, defaultTtl: number): string[] {
  if (etag !== "" && !/^\d{1,19}$/.test(etag)) throw new EtagInvalidError(`"${etag}" is no etag of redis`);
  const seconds = String(Math.max(ttl ?? defaultTtl, 0));
  return [value === undefined ? "delete" : "write", value ?? "", etag, firstWrite ? "1" : "0", seconds];
}

/** Dapr: redisHost may carry the port. Clusters and sentinels are a server's business, not a laptop's. */
function readOptions(spec: ComponentSpec, metadata: Metadata): RedisOptions {
  const wrong = (field: string, why: string) =>
    frameworkError("FF_COMPONENT_METADATA", { component: spec.name, field, why }, { place: spec.place });
  const type = metadata.text("redisType") || "node";
  if (type.toLowerCase() !== "node") throw wrong("redisType", `must be "node" here, not "${type}"`);
  if (metadata.flag("failover", false)) throw wrong("failover", "must be false here");
  const [host = "", stated] = splitHost(metadata.required("redisHost"));
  const port = metadata.whole("redisPort", 6379, 1, 65535);
  if (host === "" || host.includes(",")) throw wrong("redisHost", "must be one server, as host or host:port");
  if (stated !== undefined && metadata.text("redisPort") && stated !== port)
    throw wrong("redisPort", "is another port than the one in redisHost");
  const username = metadata.text("redisUsername");
  const password = metadata.text("redisPassword");
  return {
    host,
    port: stated ?? port,
    db: metadata.whole("redisDB", 0, 0, 10_000),
    ...(username && { username }),
    ...(password && { password }),
    ...(metadata.flag("enableTLS", false) && {
      tls: { rejectUnauthorized: !metadata.flag("insecureSkipTLSVerify", false) },
    }),
    connectTimeout: patience,
    commandTimeout: patience,
    maxRetriesPerRequest: 3,
    retryStrategy: (attempt) => Math.min(250 * 2 ** (attempt - 1), 5000),
  };
}

const patience = 5000; // ms

function splitHost(text: string): [host: string, port: number | undefined] {
  const [, host = text, port] = /^(.*?):(\d{1,5})$/.exec(text) ?? [];
  return [host, port === undefined ? undefined : Number(port)];
}

// One line when trouble begins, one when all is well again.
function tellOfTrouble(
  redis: Redis,
  component: string,
  address: string,
  { onNotice }: ComponentEnvironment,
): void {
  let told = false;
  redis.on("error", (err) => {
    if (told) return;
    told = true;
    onNotice(frameworkError("FF_COMPONENT_UNREACHABLE", { component, address, why: messageOf(err) }));
  });
  redis.on("ready", () => {
    if (told) onNotice({ recovered: `Component "${component}" is connected to ${address}.` });
    told = false;
  });
}
