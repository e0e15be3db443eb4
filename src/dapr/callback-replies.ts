/** What the app answers to Dapr's gRPC callbacks (dapr/proto/runtime/v1/appcallback.proto). */
import { bytesField, mapField, textField, varintField } from "../core/protobuf";
import type { Subscription, TopicStatus } from "./protocol";

/** ListTopicSubscriptionsResponse. */
export function writeSubscriptions(subscriptions: readonly Subscription[]): Buffer {
  return Buffer.concat(subscriptions.map((one) => bytesField(1, writeSubscription(one))));
}

function writeSubscription(one: Subscription): Buffer {
  const { bulkSubscribe: bulk } = one;
  return Buffer.concat([
    textField(1, one.pubsubname),
    textField(2, one.topic),
    mapField(3, one.metadata),
    bytesField(5, writeRoutes(one)),
    textField(6, one.deadLetterTopic),
    ...(bulk === undefined
      ? []
      : [
          bytesField(
            7,
            Buffer.concat([
              varintField(1, bulk.enabled ? 1 : 0),
              varintField(2, bulk.maxMessagesCount ?? 0),
              varintField(3, bulk.maxAwaitDurationMs ?? 0),
            ]),
          ),
        ]),
  ]);
}

/** TopicRoutes: over gRPC a single path is the default of no rules. */
function writeRoutes({ route, routes = { rules: [], default: route } }: Subscription): Buffer {
  const rules = routes.rules.map(({ match, path }) =>
    bytesField(1, Buffer.concat([textField(1, match), textField(2, path)])),
  );
  return Buffer.concat([...rules, textField(2, routes.default)]);
}

/** ListInputBindingsResponse. */
export function writeBindings(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => bytesField(1, name)));
}

const statuses: Record<TopicStatus, number> = { SUCCESS: 0, RETRY: 1, DROP: 2 };

/** TopicEventResponse. */
export function writeTopicStatus(status: TopicStatus): Buffer {
  return varintField(1, statuses[status]);
}

/** TopicEventBulkResponse. */
export function writeBulkStatuses(entries: readonly { entryId: string; status: TopicStatus }[]): Buffer {
  return Buffer.concat(
    entries.map(({ entryId, status }) =>
      bytesField(1, Buffer.concat([textField(1, entryId), varintField(2, statuses[status])])),
    ),
  );
}

/** BindingEventResponse. `to` stays empty: the function sends by itself, so the sidecar has nothing to pass on. */
export function writeBindingReply(data: string | Buffer | undefined): Buffer {
  return data === undefined || data.length === 0 ? Buffer.alloc(0) : bytesField(4, data);
}
