/** SkyWalking's unit of report: what one process did for one trace (language-agent/Tracing.proto), as JSON and protobuf. */

/** Names and meanings are those of the proto's JSON form. */
export interface Segment {
  traceId: string;
  traceSegmentId: string;
  service: string;
  serviceInstance: string;
  spans: SegmentSpan[];
}

export const spanTypes = { Entry: 0, Exit: 1, Local: 2 } as const;
export const spanLayers = { Unknown: 0, Http: 3, MQ: 4, FAAS: 6 } as const;

export interface SegmentSpan {
  spanId: number;
  /** -1: none. */
  parentSpanId: number;
  /** Milliseconds since 1970. */
  startTime: number;
  endTime: number;
  refs: SegmentReference[];
  operationName: string;
  /** Of an exit: whom it calls. */
  peer: string;
  spanType: keyof typeof spanTypes;
  spanLayer: keyof typeof spanLayers;
  componentId: number;
  isError: boolean;
  tags: Tag[];
  logs: { time: number; data: Tag[] }[];
}

export interface Tag {
  key: string;
  value: string;
}

/** The caller, in another process. */
export interface SegmentReference {
  traceId: string;
  parentTraceSegmentId: string;
  parentSpanId: number;
  parentService: string;
  parentServiceInstance: string;
  parentEndpoint: string;
  networkAddressUsedAtPeer: string;
}

/** SegmentObject as protobuf. */
export function encodeSegment(segment: Segment): Buffer {
  return message(
    text(1, segment.traceId),
    text(2, segment.traceSegmentId),
    ...segment.spans.map((span) => bytes(3, encodeSpan(span))),
    text(4, segment.service),
    text(5, segment.serviceInstance),
  );
}

function encodeSpan(span: SegmentSpan): Buffer {
  return message(
    number(1, span.spanId),
    number(2, span.parentSpanId),
    number(3, span.startTime),
    number(4, span.endTime),
    ...span.refs.map((ref) => bytes(5, encodeReference(ref))),
    text(6, span.operationName),
    text(7, span.peer),
    number(8, spanTypes[span.spanType]),
    number(9, spanLayers[span.spanLayer]),
    number(10, span.componentId),
    number(11, span.isError ? 1 : 0),
    ...span.tags.map((tag) => bytes(12, encodeTag(tag))),
    ...span.logs.map(({ time, data }) =>
      bytes(13, message(number(1, time), ...data.map((tag) => bytes(2, encodeTag(tag))))),
    ),
  );
}

// Field 1, the kind of reference, is 0: another process.
function encodeReference(ref: SegmentReference): Buffer {
  return message(
    text(2, ref.traceId),
    text(3, ref.parentTraceSegmentId),
    number(4, ref.parentSpanId),
    text(5, ref.parentService),
    text(6, ref.parentServiceInstance),
    text(7, ref.parentEndpoint),
    text(8, ref.networkAddressUsedAtPeer),
  );
}

function encodeTag({ key, value }: Tag): Buffer {
  return message(text(1, key), text(2, value));
}

function message(...parts: Buffer[]): Buffer {
  return Buffer.concat(parts);
}

const nothing = Buffer.alloc(0);

function text(field: number, value: string): Buffer {
  return value === "" ? nothing : bytes(field, Buffer.from(value));
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

function number(field: number, value: number): Buffer {
  return value === 0 ? nothing : Buffer.concat([varint(field * 8), varint(value)]);
}

// protobuf.dev: seven bits a byte, the lowest first; a negative number is its two's complement of 64 bits.
function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return Buffer.from(out);
}
