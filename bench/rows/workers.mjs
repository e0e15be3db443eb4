import { ours } from "../lib/servers.mjs";

const args = ["--target=hello", "--source=hello.cjs"];

const servers = [ours([...args, "--workers=2"]), ours(args, { name: "one process" })];

/** @type {import("../rows.mjs").Row} */
export const workers = {
  name: "workers",
  title: "hello with --workers=2, and with one process",
  measure: "load",
  request: { method: "GET", path: "/" },
  servers,
  bars: [],
};

/** @type {import("../rows.mjs").Row} */
export const workersClose = {
  ...workers,
  name: "workers-close",
  title: "the same, and each request on a connection of its own",
  request: { ...workers.request, headers: { Connection: "close" } },
};
