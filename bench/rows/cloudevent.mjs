import { google, ours, script } from "../lib/servers.mjs";

const args = ["--target=event", "--source=event.cjs", "--signature-type=cloudevent"];

/** @type {import("../rows.mjs").Row} */
export const cloudevent = {
  name: "cloudevent",
  title: "CloudEvent POST in binary mode to a function that returns nothing",
  measure: "load",
  request: {
    method: "POST",
    path: "/",
    headers: {
      "content-type": "application/json",
      "ce-id": "0b5c1b0e-6c0f-4f8e-9a53-3c5b0f2f4c11",
      "ce-source": "/bench",
      "ce-specversion": "1.0",
      "ce-time": "2026-01-02T03:04:05Z",
      "ce-type": "org.example.order",
    },
    body: '{"order":4711,"items":["tea","cups"]}',
  },
  servers: [
    ours(args),
    google(args),
    script("faas-js-runtime", "faas-event.cjs", { package: "faas-js-runtime" }),
  ],
  bars: [
    { against: "google", atLeast: 4 },
    { against: "google", of: "memory", atMost: 1 },
    { against: "faas-js-runtime", atLeast: 2 },
  ],
};
