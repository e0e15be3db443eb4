/** `(request)`: the body of a POST, deserialised; what the function returns is serialised. JSON unless it has a format. */
import { decodeJsonText, decodeText, parseContentType, parseJson } from "../core/content";
import { frameworkError, isFrameworkError, messageOf } from "../core/errors";
import { composeHooks } from "../functions/hooks";
import type {
  InvocationRequest,
  InvocationResponse,
  Request,
  Response,
  TypedFormat,
  TypedFunction,
} from "../functions/types";
import { sendFailure, sendJson, sendResult } from "./reply";
import type { Signature } from "./signature";

export const typed: Signature = {
  name: "typed",
  methods: ["POST"],
  body: "raw",
  create({ function: userFunction, format, hooks, production }) {
    const fn = userFunction as TypedFunction;
    const around = hooks.length > 0 ? composeHooks(hooks, fn) : undefined;

    return async (invocation, req, res) => {
      const fail = (thrown: unknown) => sendFailure(invocation, res, thrown, { word: "crash", production });
      invocation.fail = fail;
      try {
        const request = format ? await deserialize(format, req) : readJsonBody(req);
        const response = around
          ? (await around(invocation, { args: [request], req, res })).value
          : await fn(request);
        if (invocation.sends) await invocation.sends.settle();
        if (res.headersSent || invocation.settled) return;
        if (response === undefined) sendResult(res, undefined);
        else if (format) await format.serializeResponse(writerOf(res), response);
        else sendJson(res, response);
      } catch (err) {
        fail(err);
      }
    };
  },
};

function readJsonBody({ rawBody, headers }: Request): unknown {
  if (rawBody === undefined || rawBody.length === 0)
    throw frameworkError("FF_BODY_MALFORMED", { why: "it is empty, and a typed function needs JSON" });
  return parseJson(decodeJsonText(rawBody, parseContentType(headers["content-type"]).charset));
}

// What a format cannot read is the caller's mistake, not the function's.
async function deserialize(format: TypedFormat, req: Request): Promise<unknown> {
  try {
    return await format.deserializeRequest(readerOf(req));
  } catch (err) {
    if (isFrameworkError(err)) throw err;
    throw frameworkError("FF_BODY_MALFORMED", { why: messageOf(err) }, { cause: err });
  }
}

function readerOf(req: Request): InvocationRequest {
  return { body: () => req.rawBody && decodeText(req.rawBody), header: (name) => req.get(name) };
}

function writerOf(res: Response): InvocationResponse {
  return {
    setHeader: (name, value) => void res.setHeader(name, value),
    write: (chunk) => void res.write(chunk),
    end: (chunk) => void res.end(chunk),
  };
}
