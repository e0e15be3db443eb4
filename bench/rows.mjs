// The one table of rows. A new row: one file in rows/, one line here.
import { binding } from "./rows/binding.mjs";
import { cloudevent } from "./rows/cloudevent.mjs";
import { echo } from "./rows/echo.mjs";
import { features } from "./rows/features.mjs";
import { hello } from "./rows/hello.mjs";
import { hopIdle, hopLarge, hopMegabyte, hopTcp, hopUnix } from "./rows/hop.mjs";
import { logged } from "./rows/logged.mjs";
import { reload, reloadTypescript } from "./rows/reload.mjs";
import { send } from "./rows/send.mjs";
import { start } from "./rows/start.mjs";
import { startAsync } from "./rows/start-async.mjs";
import { startTypescript, startTypescriptCold } from "./rows/start-typescript.mjs";
import { topic } from "./rows/topic.mjs";
import { workers, workersClose } from "./rows/workers.mjs";

/**
 * @typedef {object} Row
 * @property {string} name for `--only`
 * @property {string} title what is measured, in words
 * @property {"load" | "start" | "idle" | "reload"} measure requests per second under load, milliseconds from spawn to the
 *   first answer, KiB per connection that is open and idle, or milliseconds from a change under `dev` to the new answer
 * @property {"MB" | "send"} [unit] megabytes per second in place of requests, or what each request is worth several of
 * @property {number} [worth] units of one request; 1 when nothing is said
 * @property {number} [connections] of the load; 64 when nothing is said
 * @property {Upstream} [upstream] what the servers of the row are proxies of; they get its address as UPSTREAM
 * @property {Request} [request]
 * @property {{ file: string, text: (version: string) => string }} [module] that is changed
 * @property {Server[]} servers the first one is ours
 * @property {Bar[]} bars
 *
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 *
 * @typedef {object} Server takes its port from PORT
 * @property {string} name
 * @property {string[] | ((given: { port: number, upstream?: string }) => string[])} command arguments
 * @property {string} [program] that runs it; node when nothing is said
 * @property {string} [package] whose version is printed
 * @property {Record<string, string> | ((given: { upstream?: string }) => Record<string, string>)} [env]
 * @property {boolean} [logs] writes a line a request to stderr, which goes to /dev/null: nobody should spend time reading
 * @property {string} [path] where this one wants the request, when not at the row's path
 * @property {Unequal} [unequal]
 *
 * @typedef {object} Unequal what of the reply may differ from ours
 * @property {string[]} headers
 * @property {string} why
 *
 * @typedef {Server & { address: (given: { port: number }) => string }} Upstream `tcp:HOST:PORT` or `unix:PATH`
 *
 * @typedef {object} Bar ratio of medians, ours ÷ the peer's
 * @property {string} [against] name of a server; without it the bar is for our own median
 * @property {"value" | "cpu" | "memory"} [of] the row's own measure (default), the same from CPU time, or resident
 *   memory after the load
 * @property {number} [atLeast]
 * @property {number} [atMost]
 */

/** @type {Row[]} */
export const rows = [
  hello,
  start,
  startAsync,
  startTypescript,
  startTypescriptCold,
  echo,
  cloudevent,
  features,
  logged,
  workers,
  workersClose,
  binding,
  topic,
  send,
  hopTcp,
  hopUnix,
  hopMegabyte,
  hopLarge,
  hopIdle,
  reload,
  reloadTypescript,
];
