// `npm run bench`: installs what it compares with, measures row by row, judges. See README.md.
import { stopEverything } from "./lib/children.mjs";
import { measureIdle } from "./lib/idle.mjs";
import { judge } from "./lib/judge.mjs";
import { measureLoad } from "./lib/load.mjs";
import { removeFolders } from "./lib/nginx.mjs";
import { readOptions } from "./lib/options.mjs";
import { provide } from "./lib/provide.mjs";
import { measureReload } from "./lib/reload.mjs";
import { createReport, surroundings } from "./lib/report.mjs";
import { measureStart } from "./lib/start.mjs";
import { rows } from "./rows.mjs";

const measures = { load: measureLoad, start: measureStart, idle: measureIdle, reload: measureReload };

process.on("exit", stopEverything);
process.on("exit", removeFolders);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

try {
  const options = readOptions(process.argv.slice(2), rows);
  const report = createReport(options.json ? process.stderr : process.stdout);
  const chosen = rows.filter(({ name }) => options.only.includes(name));
  provide(chosen);
  const around = surroundings();
  report.head(around, options);
  const measured = [];
  for (const row of chosen) {
    const results = judge(row, await measures[row.measure](row, options, report.progress));
    report.row(row, results);
    measured.push(results);
  }
  report.bars(measured);
  if (options.json) console.log(JSON.stringify({ ...around, options, rows: measured }, null, 2));
} catch (err) {
  console.error(err.isForReader ? err.message : err);
  process.exit(1);
}
