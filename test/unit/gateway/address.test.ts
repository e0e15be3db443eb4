import assert from "node:assert/strict";
import { test } from "node:test";

import { hostOf, parseAddress } from "../../../src/gateway/proxy/address";

test("addresses of upstreams", () => {
  const rows: [string, ReturnType<typeof parseAddress>, string][] = [
    ["tcp:127.0.0.1:80", { host: "127.0.0.1", port: 80 }, "127.0.0.1:80"],
    ["tcp:example.org:65535", { host: "example.org", port: 65_535 }, "example.org:65535"],
    ["tcp:[::1]:80", { host: "::1", port: 80 }, "[::1]:80"],
    ["tcp:::1:80", { host: "::1", port: 80 }, "::1:80"],
    ["unix:/tmp/a b.sock", { path: "/tmp/a b.sock" }, "localhost"],
    ["tcp:127.0.0.1:65536", undefined, "localhost"],
    ["tcp:127.0.0.1", undefined, "localhost"],
    ["tcp::80", undefined, "localhost"],
    ["unix:", undefined, "localhost"],
    ["http://127.0.0.1:80", undefined, "localhost"],
    ["", undefined, "localhost"],
  ];

  for (const [address, options, host] of rows) {
    assert.deepEqual(parseAddress(address), options, address);
    assert.equal(hostOf(address), host, address);
  }
});
