/** The errors of the hop. */
import { type FrameworkError, frameworkError } from "../../core/errors";
import type { Breakage } from "./connection";

/** A request that cannot be passed on in one meaning. */
export function malformedRequest(why: string): FrameworkError {
  return frameworkError("FF_REQUEST_MALFORMED", { why });
}

/** What a broken connection is to the caller; `timeout` in milliseconds. */
export function upstreamError(
  { how, why, cause }: Breakage,
  address: string,
  timeout: number,
): FrameworkError {
  const options = { cause };
  switch (how) {
    case "connect":
      return frameworkError("FF_UPSTREAM_UNREACHABLE", { address, why }, options);
    case "busy":
      return frameworkError("FF_UPSTREAM_BUSY", { address, why }, options);
    case "connect-timeout":
      return frameworkError("FF_UPSTREAM_CONNECT_TIMEOUT", { address, why }, options);
    case "timeout":
      return frameworkError("FF_UPSTREAM_TIMEOUT", { address, seconds: timeout / 1000 }, options);
    case "malformed":
      return frameworkError("FF_UPSTREAM_MALFORMED", { address, why }, options);
    case "lost":
      return frameworkError("FF_UPSTREAM_LOST", { address, why }, options);
  }
}
