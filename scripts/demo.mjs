/**
 * The main job, end to end: `dev` runs the two samples with the embedded broker, another process sends one message
 * over TCP with a real MQTT client, and what comes out is printed. Nothing else is needed on the machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const demos = [
  { sample: "mqtt-bindings", send: "in", receive: "out" },
  { sample: "mqtt-pubsub", send: "sub", receive: "pub" },
];

for (const demo of demos) await run(demo);
console.log("\nBoth samples work. Next: README.md, or cd samples/mqtt-bindings.");

async function run({ sample, send, receive }) {
  const file = `samples/${sample}/function.yaml`;
  console.log(`\n$ functions-framework dev -f ${file}`);
  const dev = spawn(process.execPath, ["bin/functions-framework.js", "dev", "-f", file, "--json"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(dev, "close");
  try {
    const broker = await ready(dev, ended);
    const received = await exchange(broker, send, receive, '{"msg":"hello"}');
    console.log(`  published to ${send}:   {"msg":"hello"}\n  received from ${receive}: ${received}`);
  } finally {
    dev.kill();
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`dev ended with ${code}`);
}

/** Prints what the function prints, and resolves to the broker's address as soon as everything listens. */
async function ready(dev, ended) {
  return new Promise((resolve, reject) => {
    createInterface({ input: dev.stdout }).on("line", (line) => {
      const { event, data } = JSON.parse(line);
      if (event === "error") reject(new Error(`${data.code} ${data.message}`));
      if (event === "log") console.log(`  function: ${data.text}`);
      if (event !== "ready") return;
      const [{ name, url, sidecar }] = data.functions;
      const { address } = data.brokers[0];
      console.log(`  ${name}: function ${url}, sidecar ${sidecar}, broker ${address}`);
      resolve(`mqtt://${new URL(address).host}`);
    });
    ended.then(([code]) => reject(new Error(`dev ended with ${code} before it was ready`)));
  });
}

/** In a process of its own: subscribes, publishes, waits for one message. */
async function exchange(broker, send, receive, payload) {
  const client = spawn(process.execPath, ["scripts/demo-client.mjs", broker, send, receive, payload], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  client.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(client, "close");
  if (code !== 0) throw new Error(`the MQTT client ended with ${code}`);
  return text.trim();
}
