import { ours, script } from "../lib/servers.mjs";
import { flags } from "./features.mjs";

/** @type {import("../rows.mjs").Row} */
export const logged = {
  name: "logged",
  title: "features, and the function writes one line by req.log",
  measure: "load",
  request: { method: "GET", path: "/" },
  servers: [
    ours(["--target=logged", "--source=logged.cjs", ...flags], { logs: true }),
    script("node:http", "http-logged.cjs", { logs: true }),
  ],
  bars: [{ against: "node:http", atLeast: 0.75 }],
};
