// The spec reporter, with a rule about skipped tests, the names of tests that hang, and totals that a script can read.
import { Readable } from "node:stream";
import { spec as Spec } from "node:test/reporters";

/** Node's `--test-reporter`. */
export default async function* report(events) {
  const totals = [];
  const problems = [];
  const running = new Map();

  async function* watched() {
    for await (const event of events) {
      const total = totalOf(event);
      if (total) totals.push(total);
      else yield event;
      const problem = problemOf(event);
      if (problem) problems.push(problem);
      follow(event, running);
    }
  }

  yield* Readable.from(watched()).compose(new Spec());
  for (const { file, name } of running.values()) problems.push(`"${name}" in ${file} did not end.`);
  if (problems.length > 0) process.exitCode = 1;
  for (const problem of problems) yield `\u2716 ${problem}\n`;
  for (const total of totals) yield `# ${total}\n`;
}

function totalOf({ type, data }) {
  const isTotal = type === "test:diagnostic" && data.nesting === 0 && /^[a-z_]+ [\d.]+$/.test(data.message);
  return isTotal ? data.message : undefined;
}

function problemOf({ type, data }) {
  const isSkipped = (type === "test:pass" || type === "test:fail") && data.skip !== undefined;
  if (!isSkipped || !process.env.CI || String(data.skip).includes("DAPRD")) return undefined;
  return `"${data.name}" is skipped (${data.skip}); in CI only tests that need DAPRD may be.`;
}

// Node 20 stops the whole file when its time is over, and does not say which test it was in.
function follow({ type, data }, running) {
  const key = `${data.file} ${data.nesting} ${data.name}`;
  if (type === "test:dequeue") running.set(key, data);
  if (type === "test:complete") running.delete(key);
}
