/** What the upstream is told of the client: X-Forwarded-For, -Host and -Proto. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

export interface Forwarded {
  for: string | undefined;
  host: string | undefined;
  proto: string | undefined;
}

/** The lines, less those that the caller sets. `before` is what a trusted client said. */
export function forwardedLines(
  socket: Socket,
  {
    host,
    before,
    set,
  }: { host: string | undefined; before: Forwarded | undefined; set: ReadonlySet<string> | undefined },
): string {
  const client = clientAddress(socket);
  const proto = before?.proto ?? ((socket as TLSSocket).encrypted ? "https" : "http");
  return (
    line("X-Forwarded-For", joined(before?.for, client), set) +
    line("X-Forwarded-Host", before?.host ?? host, set) +
    line("X-Forwarded-Proto", proto, set)
  );
}

/** One list of two. */
export function joined(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined ? other : other === undefined ? one : `${one}, ${other}`;
}

function line(name: string, value: string | undefined, set: ReadonlySet<string> | undefined): string {
  return value === undefined || set?.has(name.toLowerCase()) ? "" : `${name}: ${value}\r\n`;
}

// An IPv4 client of an IPv6 socket is an IPv4 client. A UNIX socket has no address.
function clientAddress({ remoteAddress }: Socket): string | undefined {
  return remoteAddress?.startsWith("::ffff:") ? remoteAddress.slice(7) : remoteAddress;
}
