import type { Exchange } from "../support/exchange";
import type { Setting } from "../support/frameworks";

/** A fixture as it is started, and what is asked of it. Without requests only the start is compared. */
export interface Scene extends Setting {
  /** One of a kind; rows of differences name it. */
  name: string;
  requests?: Record<string, Exchange>;
}

export const production = { NODE_ENV: "production" };

/** Requests for paths: the path without its slash is the name. */
export function paths(names: string[], asked: Exchange = {}): Record<string, Exchange> {
  return Object.fromEntries(names.map((name) => [name, { ...asked, path: `/${name}` }]));
}

export const json = (value: unknown, headers: Exchange["headers"] = {}): Exchange => ({
  method: "POST",
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify(value),
});
