/** The supervisor as it is built: its processes are started from dist. */
import { request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestContext } from "node:test";

import type { Lease } from "../../src/instances/leases";
import type { InstanceChange, InstanceStatus } from "../../src/instances/status";
import type * as Built from "../../src/instances/supervisor";
import { withDeadline } from "./wait";

/** Path of the built module, for scripts. */
export const builtSupervisor = join(__dirname, "../../dist/instances/supervisor.js");

const { createSupervisor } = createRequire(__filename)(builtSupervisor) as typeof Built;

/** A supervisor that ends with the test. */
export function startSupervisor(t: TestContext, options: Built.SupervisorOptions = {}) {
  const { PATH = "", HOME = "", TMPDIR = "" } = process.env;
  const changes: InstanceChange[] = [];
  const listeners = new Set<() => void>();
  const supervisor = createSupervisor({
    env: { PATH, HOME, TMPDIR, FUNCTION_TARGET: "hello" },
    onChange(change) {
      changes.push(change);
      for (const listener of listeners) listener();
    },
    ...options,
  });
  t.after(() => supervisor.stop(0));

  /** Resolves with the first change that matches, now or later. */
  function change(matches: (change: InstanceChange) => boolean, what: string): Promise<InstanceChange> {
    const found = new Promise<InstanceChange>((resolve) => {
      const look = () => {
        const one = changes.find(matches);
        if (!one) return;
        listeners.delete(look);
        resolve(one);
      };
      listeners.add(look);
      look();
    });
    return withDeadline(found, what);
  }

  /** One request by one lease. */
  async function call(name: string, path = "/"): Promise<{ status: number; text: string; instance: string }> {
    const lease = await supervisor.acquire(name);
    const begin = performance.now();
    let ok = false;
    try {
      const reply = await get(lease.address, path);
      ok = reply.status < 500;
      return { ...reply, instance: lease.instance };
    } finally {
      lease.release({ ok, ms: performance.now() - begin });
    }
  }

  /** Resolves when the function has printed this line so many times. */
  function printed(name: string, text: string, times = 1): Promise<void> {
    const lines = supervisor.logs(name, { follow: true });
    const read = async () => {
      let count = 0;
      for await (const line of lines) if (line.text === text && ++count === times) return;
    };
    return withDeadline(read(), `"${text}" is printed`);
  }

  /** Resolves when so many instances get requests. */
  async function ready(name: string, count: number): Promise<InstanceStatus[]> {
    const readyOnes = () => supervisor.status(name).instances.filter(({ state }) => state === "ready");
    await change(() => readyOnes().length === count, `${count} instances are ready`);
    return readyOnes();
  }

  return { supervisor, changes, change, call, printed, ready };
}

/** GET on a connection of its own. */
export function get(address: Lease["address"], path = "/"): Promise<{ status: number; text: string }> {
  const [, host, port] = /^tcp:(.+):(\d+)$/.exec(address) ?? [];
  const where = host ? { host, port } : { socketPath: address.slice("unix:".length) };
  const reply = new Promise<{ status: number; text: string }>((resolve, reject) => {
    const req = request({ ...where, path, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end();
  });
  return withDeadline(reply, `GET ${path} of ${address} is answered`);
}
