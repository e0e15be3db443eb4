/** One POST of `invoke`, and its whole reply. */
import { type IncomingHttpHeaders, request } from "node:http";

import { frameworkError, messageOf } from "../core/errors";

export interface InvokeReply {
  status: number;
  headers: IncomingHttpHeaders;
  /** Text; base64 when its bytes are none, which `encoding` says. What comes above 1 MiB is left out. */
  body: string;
  encoding?: "base64";
  isTruncated?: true;
}

const largestReply = 1024 ** 2; // bytes

/** Error: FF_INVOKE_FAILED. */
export function post(
  url: string,
  { headers, body, signal }: { headers: Record<string, string>; body: Buffer; signal: AbortSignal },
): Promise<InvokeReply> {
  return new Promise((resolve, reject) => {
    const fail = (err: unknown) =>
      reject(frameworkError("FF_INVOKE_FAILED", { why: messageOf(err) }, { cause: err }));
    const length = { "content-length": String(body.length) };
    const req = request(url, { method: "POST", headers: { ...headers, ...length }, signal, agent: false });
    req.on("error", fail);
    req.on("response", (res) => {
      const parts: Buffer[] = [];
      let size = 0;
      res.on("data", (part: Buffer) => {
        if (size < largestReply) parts.push(part.subarray(0, largestReply - size));
        size += part.length;
      });
      res.on("error", fail);
      res.on("end", () => {
        const { statusCode: status = 0, headers } = res;
        const isTruncated = size > largestReply;
        resolve({ status, headers, ...textOf(Buffer.concat(parts)), ...(isTruncated && { isTruncated }) });
      });
    });
    req.end(body);
  });
}

function textOf(bytes: Buffer): Pick<InvokeReply, "body" | "encoding"> {
  const body = bytes.toString("utf8");
  if (Buffer.from(body, "utf8").equals(bytes)) return { body };
  return { body: bytes.toString("base64"), encoding: "base64" };
}
