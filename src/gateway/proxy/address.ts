/** Where an upstream listens: `tcp:HOST:PORT` or `unix:PATH`, as workers say it. */
export type AddressOptions = { path: string } | { host: string; port: number };

/** Undefined when the text is no address. */
export function parseAddress(address: string): AddressOptions | undefined {
  if (address.startsWith("unix:") && address.length > 5) return { path: address.slice(5) };
  const [, bracketed, host = bracketed, port] =
    /^tcp:(?:\[([\da-f:.]+)\]|([^[\]]+)):(\d{1,5})$/i.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host, port: Number(port) };
}

/** The Host of a request that came without one. */
export function hostOf(address: string): string {
  const options = parseAddress(address);
  if (options === undefined || "path" in options) return "localhost";
  return address.slice("tcp:".length);
}
