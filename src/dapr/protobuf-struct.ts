/** google.protobuf.Struct: JSON objects as protocol buffers. */
import { bytesTag, doubleTag, varintTag } from "../core/protobuf";
import type { Reader } from "./protobuf";

export function readStruct(fields: Reader): Record<string, unknown> {
  const struct = {};
  while (fields.next()) {
    if (fields.tag === bytesTag(1)) readStructEntry(fields.message(), struct);
    else fields.skip();
  }
  return struct;
}

function readStructEntry(fields: Reader, into: object): void {
  let key = "";
  let value: unknown = null;
  while (fields.next()) {
    if (fields.tag === bytesTag(1)) key = fields.text();
    else if (fields.tag === bytesTag(2)) value = readValue(fields.message());
    else fields.skip();
  }
  define(into, key, value);
}

function readValue(fields: Reader): unknown {
  let value: unknown = null;
  while (fields.next()) {
    switch (fields.tag) {
      case varintTag(1):
        fields.skip();
        value = null;
        break;
      case doubleTag(2):
        value = fields.double();
        break;
      case bytesTag(3):
        value = fields.text();
        break;
      case varintTag(4):
        value = fields.varint() !== 0;
        break;
      case bytesTag(5):
        value = readStruct(fields.message());
        break;
      case bytesTag(6):
        value = readList(fields.message());
        break;
      default:
        fields.skip();
    }
  }
  return value;
}

function readList(fields: Reader): unknown[] {
  const list: unknown[] = [];
  while (fields.next()) {
    if (fields.tag === bytesTag(1)) list.push(readValue(fields.message()));
    else fields.skip();
  }
  return list;
}

/** Sets a field; an assignment to `__proto__` would set something else. */
export function define(object: object, key: string, value: unknown): void {
  if (key !== "__proto__") (object as Record<string, unknown>)[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
