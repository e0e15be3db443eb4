/** Who may call what listens on loopback: programs of this machine, not pages of other sites. */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

import { type FrameworkError, frameworkError } from "./errors";

export interface OriginRule {
  /** Names that count as this machine too, in lower case. */
  allowedHosts?: readonly string[] | undefined;
  /** False for what a page of another site may ask for. Default true. */
  checksOrigin?: boolean;
}

/** Why a request is not served that a page of another site may have caused: FF_HOST_REFUSED, FF_ORIGIN_REFUSED. */
export function refusalOf(
  { headers }: Pick<IncomingMessage, "headers">,
  { allowedHosts = [], checksOrigin = true }: OriginRule = {},
): FrameworkError | undefined {
  const { host, origin } = headers;
  if (!isLocalHost(host, allowedHosts)) return frameworkError("FF_HOST_REFUSED", { host: host ?? "" });
  const isForeign = checksOrigin && isForeignOrigin(origin, allowedHosts);
  return isForeign ? frameworkError("FF_ORIGIN_REFUSED", {}) : undefined;
}

/** True when the Host header names this machine: a page elsewhere cannot reach us through DNS it controls. */
function isLocalHost(host: string | undefined, allowed: readonly string[]): boolean {
  if (host === undefined) return true; // HTTP/1.0 tools; browsers always send one
  const name = host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost") || allowed.includes(name)) return true;
  return isIP(name) !== 0 && isOwnAddress(name);
}

function isOwnAddress(address: string): boolean {
  if (address.startsWith("127.") || address === "::1") return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address));
}

/** True when the request comes from a page of another site. */
function isForeignOrigin(origin: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || !isLocalHost(new URL(origin).host, allowed);
}

/** Compares a token header in a time that does not depend on where it differs. */
export function isToken(given: string | string[] | undefined, token: string): boolean {
  const [a, b] = [Buffer.from(String(given ?? "")), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
