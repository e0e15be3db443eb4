/** What Dapr's gRPC callbacks ask (dapr/proto/runtime/v1/appcallback.proto). Fields that nobody needs are skipped. */
import { bytesTag } from "../core/protobuf";
import { Reader } from "./protobuf";
import { define, readStruct } from "./protobuf-struct";

/** The attributes of a CloudEvent as they travel; absent ones are "". */
export interface EventFields {
  id: string;
  source: string;
  type: string;
  specVersion: string;
  dataContentType: string;
  data: Buffer;
  /** All other attributes. */
  extensions: Record<string, unknown>;
}

export interface TopicEvent extends EventFields {
  topic: string;
  pubsub: string;
  /** The path of our subscription; from dapr-proxy the topic. */
  path: string;
}

export interface BulkTopicEvent {
  entries: BulkTopicEntry[];
  metadata: Record<string, string>;
  topic: string;
  pubsub: string;
  path: string;
}

export interface BulkTopicEntry {
  entryId: string;
  /** A raw message, or the fields of an event; the last one that was written counts. */
  event: Buffer | EventFields;
  contentType: string;
  metadata: Record<string, string>;
}

export interface BindingEvent {
  name: string;
  data: Buffer;
  metadata: Record<string, string>;
}

const nothing = Buffer.alloc(0);

/** All of these throw FF_BODY_MALFORMED. */
export function readTopicEvent(bytes: Buffer): TopicEvent {
  const event: TopicEvent = {
    id: "",
    source: "",
    type: "",
    specVersion: "",
    dataContentType: "",
    data: nothing,
    extensions: {},
    topic: "",
    pubsub: "",
    path: "",
  };
  const fields = new Reader(bytes);
  while (fields.next()) {
    switch (fields.tag) {
      case bytesTag(6):
        event.topic = fields.text();
        break;
      case bytesTag(7):
        event.data = fields.bytes();
        break;
      case bytesTag(8):
        event.pubsub = fields.text();
        break;
      case bytesTag(9):
        event.path = fields.text();
        break;
      case bytesTag(10):
        event.extensions = readStruct(fields.message());
        break;
      default:
        readAttribute(fields, event);
    }
  }
  return event;
}

export function readBulkTopicEvent(bytes: Buffer): BulkTopicEvent {
  const bulk: BulkTopicEvent = { entries: [], metadata: {}, topic: "", pubsub: "", path: "" };
  const fields = new Reader(bytes);
  while (fields.next()) {
    switch (fields.tag) {
      case bytesTag(2):
        bulk.entries.push(readBulkEntry(fields.message()));
        break;
      case bytesTag(3):
        readMapEntry(fields.message(), bulk.metadata);
        break;
      case bytesTag(4):
        bulk.topic = fields.text();
        break;
      case bytesTag(5):
        bulk.pubsub = fields.text();
        break;
      case bytesTag(7):
        bulk.path = fields.text();
        break;
      default:
        fields.skip();
    }
  }
  return bulk;
}

export function readBindingEvent(bytes: Buffer): BindingEvent {
  const event: BindingEvent = { name: "", data: nothing, metadata: {} };
  const fields = new Reader(bytes);
  while (fields.next()) {
    switch (fields.tag) {
      case bytesTag(1):
        event.name = fields.text();
        break;
      case bytesTag(2):
        event.data = fields.bytes();
        break;
      case bytesTag(3):
        readMapEntry(fields.message(), event.metadata);
        break;
      default:
        fields.skip();
    }
  }
  return event;
}

/** The first five fields are the same in a TopicEventRequest and a TopicEventCERequest. */
function readAttribute(fields: Reader, event: EventFields): void {
  switch (fields.tag) {
    case bytesTag(1):
      event.id = fields.text();
      break;
    case bytesTag(2):
      event.source = fields.text();
      break;
    case bytesTag(3):
      event.type = fields.text();
      break;
    case bytesTag(4):
      event.specVersion = fields.text();
      break;
    case bytesTag(5):
      event.dataContentType = fields.text();
      break;
    default:
      fields.skip();
  }
}

function readBulkEntry(fields: Reader): BulkTopicEntry {
  const entry: BulkTopicEntry = { entryId: "", event: nothing, contentType: "", metadata: {} };
  while (fields.next()) {
    switch (fields.tag) {
      case bytesTag(1):
        entry.entryId = fields.text();
        break;
      case bytesTag(2):
        entry.event = fields.bytes();
        break;
      case bytesTag(3):
        entry.event = readEventFields(fields.message());
        break;
      case bytesTag(4):
        entry.contentType = fields.text();
        break;
      case bytesTag(5):
        readMapEntry(fields.message(), entry.metadata);
        break;
      default:
        fields.skip();
    }
  }
  return entry;
}

function readEventFields(fields: Reader): EventFields {
  const event: EventFields = {
    id: "",
    source: "",
    type: "",
    specVersion: "",
    dataContentType: "",
    data: nothing,
    extensions: {},
  };
  while (fields.next()) {
    switch (fields.tag) {
      case bytesTag(6):
        event.data = fields.bytes();
        break;
      case bytesTag(7):
        event.extensions = readStruct(fields.message());
        break;
      default:
        readAttribute(fields, event);
    }
  }
  return event;
}

function readMapEntry(fields: Reader, into: Record<string, string>): void {
  let [key, value] = ["", ""];
  while (fields.next()) {
    if (fields.tag === bytesTag(1)) key = fields.text();
    else if (fields.tag === bytesTag(2)) value = fields.text();
    else fields.skip();
  }
  define(into, key, value);
}
