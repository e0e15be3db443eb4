/** Writes the wire format of protocol buffers (protobuf.dev/programming-guides/encoding), field by field. */

export const wire = { varint: 0, fixed64: 1, bytes: 2, group: 3, endOfGroup: 4, fixed32: 5 } as const;

/** What a field is recognised by: its number and its wire type. A field of another type is an unknown one. */
export const varintTag = (field: number) => field * 8 + wire.varint;
export const doubleTag = (field: number) => field * 8 + wire.fixed64;
export const bytesTag = (field: number) => field * 8 + wire.bytes;

/** A field of bytes, a text or a message in it, with what is empty written too. */
export function bytesField(field: number, value: string | Buffer): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return Buffer.concat([varint(bytesTag(field)), varint(bytes.length), bytes]);
}

/** A text that is left out when it is empty, as proto3 has it. */
export function textField(field: number, value = ""): Buffer {
  return value === "" ? nothing : bytesField(field, value);
}

/** A number or a flag; left out when it is 0. */
export function varintField(field: number, value: number): Buffer {
  return value === 0 ? nothing : Buffer.concat([varint(varintTag(field)), varint(value)]);
}

/** A map of texts. */
export function mapField(field: number, values: Record<string, string> = {}): Buffer {
  const entries = Object.entries(values).map(([key, value]) =>
    bytesField(field, Buffer.concat([textField(1, key), textField(2, value)])),
  );
  return Buffer.concat(entries);
}

const nothing = Buffer.alloc(0);

// Seven bits a byte, the lowest first. A negative number is its two's complement of 64 bits; exact up to 2^53.
function varint(value: number): Buffer {
  const bytes: number[] = [];
  if (value < 0) {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    return Buffer.from(bytes);
  }
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
