/** SkyWalking's unit of report: what one process did for one trace (language-agent/Tracing.proto), as JSON and protobuf. */
import { bytesField, textField, varintField } from "../core/protobuf";

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
  return Buffer.concat([
    textField(1, segment.traceId),
    textField(2, segment.traceSegmentId),
    ...segment.spans.map((span) => bytesField(3, encodeSpan(span))),
    textField(4, segment.service),
    textField(5, segment.serviceInstance),
  ]);
}

function encodeSpan(span: SegmentSpan): Buffer {
  return Buffer.concat([
    varintField(1, span.spanId),
    varintField(2, span.parentSpanId),
    varintField(3, span.startTime),
    varintField(4, span.endTime),
    ...span.refs.map((ref) => bytesField(5, encodeReference(ref))),
    textField(6, span.operationName),
    textField(7, span.peer),
    varintField(8, spanTypes[span.spanType]),
    varintField(9, spanLayers[span.spanLayer]),
    varintField(10, span.componentId),
    varintField(11, span.isError ? 1 : 0),
    ...span.tags.map((tag) => bytesField(12, encodeTag(tag))),
    ...span.logs.map(({ time, data }) =>
      bytesField(
        13,
        Buffer.concat([varintField(1, time), ...data.map((tag) => bytesField(2, encodeTag(tag)))]),
      ),
    ),
  ]);
}

// Field 1, the kind of reference, is 0: another process.
function encodeReference(ref: SegmentReference): Buffer {
  return Buffer.concat([
    textField(2, ref.traceId),
    textField(3, ref.parentTraceSegmentId),
    varintField(4, ref.parentSpanId),
    textField(5, ref.parentService),
    textField(6, ref.parentServiceInstance),
    textField(7, ref.parentEndpoint),
    textField(8, ref.networkAddressUsedAtPeer),
  ]);
}

function encodeTag({ key, value }: Tag): Buffer {
  return Buffer.concat([textField(1, key), textField(2, value)]);
}
