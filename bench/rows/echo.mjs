import { google, ours, script } from "../lib/servers.mjs";

const args = ["--target=echo", "--source=echo.cjs"];

const order = {
  order: 4711,
  customer: { name: "Ada Lovelace", street: "12 St James's Square", city: "London" },
  items: [
    { article: "tea", pieces: 2, price: 4.5 },
    { article: "cups", pieces: 6, price: 3.25 },
  ],
  isPaid: true,
};

/** @type {import("../rows.mjs").Row} */
export const echo = {
  name: "echo",
  title: `POST of ${JSON.stringify(order).length} bytes of JSON, parsed and sent back`,
  measure: "load",
  request: {
    method: "POST",
    path: "/",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
  },
  servers: [ours(args), script("fastify", "fastify-echo.cjs", { package: "fastify" }), google(args)],
  bars: [
    { against: "fastify", atLeast: 0.9 },
    { against: "google", of: "memory", atMost: 1 },
  ],
};
