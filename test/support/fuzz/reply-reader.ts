/** A strict reader of HTTP/1.1 replies: what a lenient client overlooks is a mistake here (RFC 9112). */

export interface RawReply {
  status: number;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  body: Buffer;
}

/** Bytes that are no reply. */
export class MalformedReply extends Error {}

/** Reads the replies of one connection, in the order of the requests. */
export class ReplyReader {
  readonly replies: RawReply[] = [];
  /** 1xx, which come before a reply. */
  readonly interim: RawReply[] = [];
  readonly #methods: readonly string[];
  #rest: Buffer = Buffer.alloc(0);

  /** The methods of the requests: the answer to a HEAD has no body. */
  constructor(methods: readonly string[]) {
    this.#methods = methods;
  }

  /** Bytes of a reply that is not complete. */
  get rest(): Buffer {
    return this.#rest;
  }

  /** Error: MalformedReply. */
  push(bytes: Buffer, { isLast = false } = {}): void {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    for (;;) {
      const found = readReply(this.#rest, { method: this.#methods[this.replies.length], isLast });
      if (found === undefined) return;
      this.#rest = this.#rest.subarray(found.length);
      (found.reply.status < 200 ? this.interim : this.replies).push(found.reply);
    }
  }

  /** The connection is closed, which ends a reply that does not say how long it is. */
  end(): void {
    this.push(Buffer.alloc(0), { isLast: true });
  }
}

interface Reading {
  method: string | undefined;
  isLast: boolean;
}

function readReply(bytes: Buffer, { method, isLast }: Reading) {
  if (bytes.length === 0) return undefined;
  const start = bytes.subarray(0, 5).toString("latin1");
  if (!"HTTP/".startsWith(start)) throw new MalformedReply(`a reply begins with ${JSON.stringify(start)}`);
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [line = "", ...fields] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const status = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(line)?.[1];
  if (status === undefined) throw new MalformedReply(`the status line is ${JSON.stringify(line)}`);
  const head = { status: Number(status), headers: readHeaders(fields) };
  const content = readContent(bytes.subarray(end + 4), head, method, isLast);
  return content && { reply: { ...head, body: content.body }, length: end + 4 + content.length };
}

function readHeaders(fields: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const field of fields) {
    const [, name = "", value = ""] =
      /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/.exec(field) ?? [];
    if (name === "") throw new MalformedReply(`a header is ${JSON.stringify(field)}`);
    const key = name.toLowerCase();
    if (headers.has(key) && key !== "set-cookie") throw new MalformedReply(`"${key}" is there twice`);
    headers.set(key, value);
  }
  return headers;
}

type Head = Omit<RawReply, "body">;

// RFC 9112 §6.3
function readContent(bytes: Buffer, { status, headers }: Head, method: string | undefined, isLast: boolean) {
  const length = headers.get("content-length");
  const encoding = headers.get("transfer-encoding");
  if (length !== undefined && encoding !== undefined)
    throw new MalformedReply("a reply has a length and a transfer encoding");
  if (length !== undefined && !/^\d+$/.test(length)) throw new MalformedReply(`the length is "${length}"`);
  const isBodiless = status < 200 || status === 204;
  if (isBodiless && (length ?? encoding) !== undefined) throw new MalformedReply(`a ${status} has a length`);
  if (isBodiless || status === 304 || method === "HEAD") return { body: Buffer.alloc(0), length: 0 };
  if (encoding !== undefined) return readChunks(bytes, encoding);
  if (length !== undefined) return bytes.length < Number(length) ? undefined : taken(bytes, Number(length));
  if (headers.get("connection")?.toLowerCase() !== "close")
    throw new MalformedReply("nothing says where a reply ends");
  return isLast ? taken(bytes, bytes.length) : undefined;
}

function taken(bytes: Buffer, length: number) {
  return { body: bytes.subarray(0, length), length };
}

function readChunks(bytes: Buffer, encoding: string) {
  if (encoding !== "chunked") throw new MalformedReply(`the transfer encoding is "${encoding}"`);
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const line = bytes.subarray(at, end).toString("latin1");
    if (!/^[\da-f]{1,8}$/i.test(line))
      throw new MalformedReply(`a chunk begins with ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const after = end + 2 + size;
    if (bytes.length < after + 2) return undefined;
    if (bytes.subarray(after, after + 2).toString() !== "\r\n")
      throw new MalformedReply("a chunk is longer than it says");
    parts.push(bytes.subarray(end + 2, after));
    at = after + 2;
    if (size === 0) return { body: Buffer.concat(parts), length: at };
  }
}
