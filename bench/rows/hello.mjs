import { google, ours, script } from "../lib/servers.mjs";

const args = ["--target=hello", "--source=hello.cjs"];

/** @type {import("../rows.mjs").Row} */
export const hello = {
  name: "hello",
  title: 'GET, answered with "Hello World!"',
  measure: "load",
  request: { method: "GET", path: "/" },
  servers: [
    ours(args),
    script("node:http", "http-hello.cjs"),
    script("fastify", "fastify-hello.cjs", { package: "fastify" }),
    script("express", "express-hello.cjs", { package: "express" }),
    google(args),
  ],
  bars: [
    { against: "node:http", atLeast: 0.85 },
    { against: "google", atLeast: 8 },
    { against: "google", of: "memory", atMost: 1 },
  ],
};
