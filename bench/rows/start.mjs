import { google, ours, script } from "../lib/servers.mjs";

const args = ["--target=hello", "--source=hello.cjs"];

/** @type {import("../rows.mjs").Row} */
export const start = {
  name: "start",
  title: "spawn to the first answer",
  measure: "start",
  request: { method: "GET", path: "/" },
  servers: [ours(args), script("node:http", "http-hello.cjs"), google(args)],
  bars: [{ against: "google", atMost: 1 }],
};
