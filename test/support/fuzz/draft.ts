/** What is drawn, and for whom. */

/** What is known of the function that gets it. */
export interface Audience {
  /** Paths that mean something to it. */
  paths: readonly string[];
  /** Paths that take a second or cut the connection; drawn rarely. */
  rarePaths?: readonly string[];
  /** What it takes mostly: any request, CloudEvents, data in a POST. */
  takes: "requests" | "events" | "data";
  /** Sent nearly always. */
  headers?: readonly Header[];
  /** JSON it understands. */
  values?: readonly unknown[];
}

export type Header = readonly [name: string, value: string];

/** A request as it is meant, before anything goes wrong on the wire. Text is in Latin-1: a character is a byte. */
export interface Draft {
  method: string;
  path: string;
  headers: Header[];
  body: Buffer | undefined;
}
