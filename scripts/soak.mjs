// `npm run soak`: the stories that last seconds in `npm test`, at full size, with their figures. Arguments pick stories:
// `npm run soak -- fuzz`. What makes a story long is a variable, and the environment's own wins.
import { spawnSync } from "node:child_process";

import { prepare } from "./run-tests.mjs";

const stories = [
  { name: "fuzz", file: "test/e2e/fuzz.test.ts", env: { FUZZ_COUNT: "1000000" } },
  { name: "workers", file: "test/e2e/workers-soak.test.ts", env: { WORKERS_SECONDS: "120" } },
  { name: "front", file: "test/e2e/dev-front.test.ts", env: { FRONT_KILLS: "100" } },
  {
    name: "front-load",
    file: "test/e2e/front-load.test.ts",
    env: { FRONT_WAITING: "5000", FRONT_SLOW: "1000", FRONT_SLOW_SECONDS: "60" },
  },
  { name: "parents", file: "test/e2e/killed-parents.test.ts", env: { KILLS: "100" } },
  { name: "printing", file: "test/e2e/dev-output.test.ts", env: { PRINTED_MB: "100" } },
  { name: "watch", file: "test/e2e/dev-watch.test.ts", env: { WATCH_CHANGES: "1000", WATCH_RELOADS: "50" } },
  { name: "deliveries", file: "test/e2e/deliveries-soak.test.ts", env: { DELIVERIES_COUNT: "20000" } },
  { name: "outputs", file: "test/e2e/outputs-load.test.ts", env: { OUTPUTS_COUNT: "50000" } },
];

const reporter = ["--test-reporter=./scripts/test-reporter.mjs", "--test-reporter-destination=stdout"];

const names = process.argv.slice(2);
const known = stories.map(({ name }) => name);
const unknown = names.find((name) => !known.includes(name));
if (unknown !== undefined) {
  console.error(`There is no story "${unknown}". The stories are ${known.join(", ")}.`);
  process.exit(1);
}

prepare();
for (const { name, file, env } of stories.filter(
  (story) => names.length === 0 || names.includes(story.name),
)) {
  const started = performance.now();
  // No --test-timeout: a story knows how long it may take.
  const { status } = spawnSync(process.execPath, ["--import", "tsx", "--test", ...reporter, file], {
    stdio: "inherit",
    env: { ...env, ...process.env },
  });
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(`${name}: ${status === 0 ? "well" : "failed"} after ${minutes} minutes\n`);
  if (status !== 0) process.exitCode = 1;
}
