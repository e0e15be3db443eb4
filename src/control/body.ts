/** The body of a call: JSON, or none. A form of another site's page can send neither without being asked first. */
import type { IncomingMessage } from "node:http";

import { decodeData, parseContentType } from "../core/content";
import { frameworkError } from "../core/errors";

/** Errors: FF_BODY_TOO_LARGE, FF_BODY_UNSUPPORTED for what is not called JSON, FF_BODY_MALFORMED for broken JSON. */
export async function readJsonBody(req: IncomingMessage, limit: number): Promise<unknown> {
  const bytes = await readBytes(req, limit);
  if (bytes.length === 0) return undefined;
  const header = req.headers["content-type"];
  const contentType = parseContentType(header);
  if (contentType.type !== "application/json")
    throw frameworkError("FF_BODY_UNSUPPORTED", { what: "content type", value: header ?? "" });
  return decodeData(bytes, contentType);
}

// What comes above the limit is read and thrown away: a client that still writes would not see the answer.
function readBytes(req: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      chunks.length = 0;
      reject(frameworkError("FF_BODY_TOO_LARGE", { limit }));
    });
    req.on("end", () => resolve(Buffer.concat(chunks)));
    req.on("error", reject);
  });
}
