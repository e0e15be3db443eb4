/** The app behind the sidecar: asks it for its subscriptions and posts deliveries, exactly as daprd does. */
import { frameworkError, messageOf } from "../core/errors";
import { encodeHeaderValue } from "../core/http";
import { log } from "../core/log";
import { type ClientReply, createHttpClient, type HttpClient } from "../dapr/client";
import type { TopicStatus } from "../dapr/protocol";
import type { BulkRule } from "./bulk";
import type { AppReply } from "./components/component";
import type { RoutingRule } from "./routing";

export interface AppSubscription {
  pubsubname: string;
  topic: string;
  /** Where rules send nothing; undefined: such an event is done without the app. */
  route: string | undefined;
  rules: RoutingRule[];
  metadata: Record<string, string>;
  deadLetterTopic: string | undefined;
  /** Undefined: one message a request. */
  bulk: BulkRule | undefined;
}

export interface AppChannel {
  subscriptions(): Promise<AppSubscription[]>;
  /** True when the app wants the messages of this binding. */
  wantsBinding(path: string): Promise<boolean>;
  /** What the app says of a topic delivery. A transport error rejects. */
  deliverEvent(route: string, body: Buffer, metadata: Record<string, string>): Promise<AppReply>;
  /** The status of every entry that the app answers. */
  deliverBulk(
    route: string,
    body: Buffer,
    metadata: Record<string, string>,
  ): Promise<Map<string, TopicStatus>>;
  deliverBinding(path: string, body: Buffer, metadata: Record<string, string>): Promise<AppReply>;
  close(): Promise<void>;
}

export interface AppChannelOptions {
  /** A URL, `tcp:HOST:PORT` or `unix:PATH`. */
  address: string;
  appId: string;
  /** APP_API_TOKEN, sent as `dapr-api-token` with every call. */
  token: string | undefined;
  /** Told once of a path that the app answers 404. daprd drops such messages; here they are kept. */
  onMissing(path: string): void;
}

const discoveryTimeout = 10_000; // ms

export function createAppChannel({ address, appId, token, onMissing }: AppChannelOptions): AppChannel {
  // A handler may take as long as it needs: only connecting has a deadline.
  const unreachable = (why: string, cause: unknown) =>
    frameworkError("FF_APP_UNREACHABLE", { origin: address, why }, { cause });
  const { origin, socketPath } = connectionOf(address);
  const client: HttpClient = createHttpClient(origin, { timeout: 0, unreachable, socketPath });
  const tokenHeader: Record<string, string> = token ? { "dapr-api-token": token } : {};
  const missing = new Set<string>();
  const post = async (path: string, body: Buffer, headers: Record<string, string>) => {
    const reply = await client.request({ method: "POST", path, headers, body });
    if (reply.status === 404 && !missing.has(path)) onMissing(path);
    if (reply.status === 404) missing.add(path);
    return reply;
  };
  const ask = (path: string) =>
    client.request({
      method: "GET",
      path,
      headers: { "dapr-app-id": appId, ...tokenHeader },
      signal: AbortSignal.timeout(discoveryTimeout),
    });

  return {
    async subscriptions() {
      await ask("/dapr/config"); // daprd asks first, and only actors would care about the answer
      const reply = await ask("/dapr/subscribe");
      return reply.status === 200 ? readSubscriptions(reply.body) : [];
    },

    // Dapr: 2xx or 405 to OPTIONS means the app is bound.
    async wantsBinding(path) {
      const signal = AbortSignal.timeout(discoveryTimeout);
      const { status } = await client.request({ method: "OPTIONS", path, headers: tokenHeader, signal });
      return (status >= 200 && status <= 299) || status === 405;
    },

    async deliverEvent(route, body, metadata) {
      const headers = {
        ...encodeHeaders(metadata),
        ...tokenHeader,
        "content-type": "application/cloudevents+json",
      };
      const http = await post(route, body, headers);
      return { word: readTopicReply(http), http };
    },

    async deliverBulk(route, body, metadata) {
      const headers = { ...encodeHeaders(metadata), ...tokenHeader, "content-type": "application/json" };
      return readBulkReply(await post(route, body, headers));
    },

    async deliverBinding(path, body, metadata) {
      const headers = { ...encodeHeaders(metadata), ...tokenHeader, "content-type": "application/json" };
      const http = await post(path, body, headers);
      return { word: http.status >= 200 && http.status <= 299 ? "SUCCESS" : "RETRY", http };
    },

    close: () => client.close(),
  };
}

function connectionOf(address: string): { origin: string; socketPath?: string } {
  if (address.startsWith("unix:"))
    return { origin: "http://localhost", socketPath: address.slice("unix:".length) };
  return { origin: address.replace(/^tcp:/, "http://") };
}

// Topics and other metadata may hold any character.
function encodeHeaders(metadata: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, encodeHeaderValue(value)]),
  );
}

function readSubscriptions(body: Buffer): AppSubscription[] {
  let list: unknown;
  try {
    list = JSON.parse(body.toString("utf8"));
  } catch (err) {
    log.warn(`The app's answer to /dapr/subscribe is not JSON: ${messageOf(err)}`);
  }
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry) => {
    const { pubsubname, topic, route, routes, metadata, deadLetterTopic, bulkSubscribe } = entry ?? {};
    const path = routes ? routes.default : route;
    const rules = readRules(routes?.rules);
    const isRouted = typeof path === "string" ? path !== "" : rules.length > 0;
    if (typeof pubsubname !== "string" || typeof topic !== "string" || !isRouted) {
      log.warn(`A subscription without pubsubname, topic or route is skipped: ${JSON.stringify(entry)}`);
      return [];
    }
    return [
      {
        pubsubname,
        topic,
        route: typeof path === "string" && path !== "" ? withSlash(path) : undefined,
        rules,
        metadata: metadata ?? {},
        deadLetterTopic:
          typeof deadLetterTopic === "string" && deadLetterTopic !== "" ? deadLetterTopic : undefined,
        bulk: bulkSubscribe?.enabled === true ? readBulkRule(bulkSubscribe) : undefined,
      },
    ];
  });
}

function readRules(rules: unknown): RoutingRule[] {
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((rule) => {
    const { match = "", path } = rule ?? {};
    return typeof path === "string" && path !== "" ? [{ match: String(match), path: withSlash(path) }] : [];
  });
}

function withSlash(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

// Dapr: 0 means the default.
function readBulkRule({ maxMessagesCount, maxAwaitDurationMs }: Partial<BulkRule>): BulkRule {
  return { maxMessagesCount: maxMessagesCount || 100, maxAwaitDurationMs: maxAwaitDurationMs || 1_000 };
}

// Dapr: a 2xx acknowledges unless its JSON says RETRY or DROP; any other word is a failure.
function readTopicReply({ status, body }: ClientReply): TopicStatus {
  if (status < 200 || status > 299) return "RETRY";
  const word = statusWord(body);
  if (word === undefined || word === "" || word === "SUCCESS") return "SUCCESS";
  return word === "DROP" ? "DROP" : "RETRY";
}

// Dapr: an entry is acknowledged by its own SUCCESS only.
function readBulkReply({ status, body }: ClientReply): Map<string, TopicStatus> {
  const statuses = new Map<string, TopicStatus>();
  if (status < 200 || status > 299) return statuses;
  for (const entry of entriesOf(body)) {
    const { entryId, status: word } = entry ?? {};
    if (typeof entryId === "string")
      statuses.set(entryId, word === "SUCCESS" || word === "DROP" ? word : "RETRY");
  }
  return statuses;
}

function entriesOf(body: Buffer): { entryId?: unknown; status?: unknown }[] {
  try {
    const { statuses } = JSON.parse(body.toString("utf8")) ?? {};
    return Array.isArray(statuses) ? statuses : [];
  } catch {
    return []; // all of them are tried again
  }
}

function statusWord(body: Buffer): string | undefined {
  try {
    const { status } = JSON.parse(body.toString("utf8")) ?? {};
    return typeof status === "string" ? status : undefined;
  } catch {
    return undefined; // an answer that is no JSON acknowledges too
  }
}
