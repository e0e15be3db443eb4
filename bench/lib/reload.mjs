// Milliseconds from a write of a file to the first answer of the new code under `dev`, and bare Node beside it.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { keep, stopServer } from "./children.mjs";
import { readerError } from "./errors.mjs";
import { cpuSeconds } from "./usage.mjs";

const bin = fileURLToPath(new URL("../../bin/functions-framework.js", import.meta.url));
const fewest = 15;
const patience = 20_000; // ms
const between = 1_000; // ms: a person saves no faster, and a spare worker is there again

export async function measureReload({ name, module }, { rounds }, progress) {
  const folder = mkdtempSync(join(tmpdir(), "bench-reload-"));
  const save = (version) => writeFileSync(join(folder, module.file), module.text(version));
  writeFileSync(join(folder, "function.yaml"), JSON.stringify(manifest));
  save("v0");
  const dev = await startDev(folder);
  const reloads = [];
  const starts = [];
  try {
    const times = Math.max(fewest, 3 * rounds);
    for (let round = 1; round <= times; round++) {
      progress(`${name}: change ${round} of ${times}`);
      await sleep(between);
      starts.push(startNode());
      const cpu = cpuSeconds(dev.child.pid);
      const begin = performance.now();
      save(`v${round}`);
      await answer(dev.url, `v${round}`, begin + patience);
      reloads.push({ value: performance.now() - begin, cpu: cpuSeconds(dev.child.pid) - cpu, work: 1 });
    }
  } finally {
    await stopServer(dev);
    rmSync(folder, { recursive: true, force: true });
  }
  return [{ samples: reloads }, { samples: starts }];
}

const manifest = {
  apiVersion: "core.openfunction.io/v1beta1",
  kind: "Function",
  metadata: { name: "hello" },
  spec: { image: "bench/hello", serving: { params: { FUNCTION_TARGET: "hello" } } },
};

async function startDev(folder) {
  const args = [bin, "dev", "--json", "--port=0"];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  keep(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, data } = JSON.parse(line);
    if (event === "error") throw readerError(`dev does not start: ${data.message}`);
    if (event !== "ready") continue;
    child.stdout.resume();
    return { child, url: data.functions[0].url };
  }
  throw readerError("dev does not start.");
}

// A request that comes too early for the watch is answered by the old code.
async function answer(url, wanted, deadline) {
  for (let text = ""; text !== wanted; ) {
    if (performance.now() > deadline) throw readerError(`The new code is not served: the answer is ${text}.`);
    text = await (await fetch(url)).text();
  }
}

function startNode() {
  const begin = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return { value: performance.now() - begin, cpu: 0, work: 1 };
}
