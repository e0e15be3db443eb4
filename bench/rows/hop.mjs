import { nginx, upstream } from "../lib/nginx.mjs";
import { hop, script } from "../lib/servers.mjs";

const servers = [
  hop(),
  nginx,
  script("undici loop", "undici-hop.cjs"),
  script("@fastify/http-proxy", "fastify-hop.cjs", { package: "@fastify/http-proxy" }),
];
const request = { method: "GET", path: "/" };
const bars = [
  { against: "nginx", of: "cpu", atLeast: 0.42 },
  { against: "@fastify/http-proxy", of: "cpu", atLeast: 2 },
];

/** @type {import("../rows.mjs").Row} */
export const hopTcp = {
  name: "hop",
  title: 'GET over one hop to nginx, answered with "Hello World!"',
  measure: "load",
  request,
  upstream: upstream(),
  servers,
  bars,
};

/** @type {import("../rows.mjs").Row} */
export const hopUnix = {
  ...hopTcp,
  name: "hop-unix",
  title: "the same, over a UNIX socket",
  upstream: upstream({ over: "unix" }),
};

/** @type {import("../rows.mjs").Row} */
export const hopMegabyte = {
  ...hopTcp,
  name: "hop-1mb",
  title: "a download of 1 MB over one hop, 8 at a time",
  unit: "MB",
  connections: 8,
  upstream: upstream({ megabytes: 1 }),
  bars: [],
};

/** @type {import("../rows.mjs").Row} */
export const hopLarge = {
  ...hopMegabyte,
  name: "hop-100mb",
  title: "a download of 100 MB over one hop",
  connections: 1,
  upstream: upstream({ megabytes: 100 }),
};

/** @type {import("../rows.mjs").Row} */
export const hopIdle = {
  ...hopTcp,
  name: "hop-idle",
  title: "memory of 2,000 connections of clients that had one answer each",
  measure: "idle",
  bars: [{ atMost: 20 }],
};
