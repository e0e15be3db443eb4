/** `POST /v1.0/publish/{pubsub}/{topic}`: wraps what is no CloudEvent into one, and hands it to the component. */
import type { IncomingMessage } from "node:http";

import { messageOf } from "../core/errors";
import { BrokenEventError, type PublishedMessage, wrapMessage } from "../dapr/envelope";
import { metadataValue } from "../dapr/metadata";
import { type Call, fail, noContent, queryMetadata, traceHeaders } from "./call";
import type { LocalComponent, PubSubComponent } from "./components/component";

type Components = ReadonlyMap<string, LocalComponent>;

export async function publishMessage(
  components: Components,
  appId: string,
  { req, res, query, body }: Call,
  name: string,
  topic: string,
): Promise<void> {
  const component = findPubSub(components, name);
  const metadata = queryMetadata(query);
  const payload = isRaw(metadata) ? body : envelope(req, { pubsub: name, topic, appId, body, metadata });
  await component.publish(topic, payload, metadata).catch((err) => {
    fail(
      500,
      "ERR_PUBSUB_PUBLISH_MESSAGE",
      `error when publish to topic ${topic} in pubsub ${name}: ${messageOf(err)}`,
    );
  });
  noContent(res);
}

function findPubSub(components: Components, name: string): PubSubComponent {
  const component = components.get(name);
  if (component?.kind === "pubsub") return component;
  fail(404, "ERR_PUBSUB_NOT_FOUND", `pubsub ${name} is not found`);
}

type Publication = Pick<PublishedMessage, "pubsub" | "topic" | "appId" | "body" | "metadata">;

function envelope(req: IncomingMessage, publication: Publication): Buffer {
  const { traceparent, tracestate } = traceHeaders(req);
  try {
    const event = wrapMessage({
      ...publication,
      contentType: req.headers["content-type"],
      traceparent,
      tracestate,
    });
    return Buffer.from(JSON.stringify(event));
  } catch (err) {
    if (!(err instanceof BrokenEventError)) throw err;
    return fail(500, "ERR_PUBSUB_CLOUD_EVENTS_SER", `cannot create cloudevent: ${err.message}`);
  }
}

function isRaw(metadata: Record<string, string>): boolean {
  const word = metadataValue(metadata, "rawPayload");
  if (word === undefined || word === "") return false;
  if (/^(true|t|1)$/i.test(word)) return true;
  if (/^(false|f|0)$/i.test(word)) return false;
  return fail(400, "ERR_PUBSUB_REQUEST_METADATA", `rawPayload must be true or false, not "${word}"`);
}
