// The text for humans.
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

import { rows } from "../rows.mjs";
import { load } from "./wrk.mjs";

const units = { load: "req/s", start: "ms", idle: "KiB", reload: "ms" };
const cpuUnits = { load: "CPU µs/req", start: "CPU ms", idle: "CPU µs", reload: "CPU ms" };

/** Versions and machine. */
export function surroundings() {
  const packages = new Set(rows.flatMap(({ servers }) => servers.flatMap((server) => server.package ?? [])));
  const peers = Object.fromEntries([...packages].map((name) => [name, versionOf(`../node_modules/${name}`)]));
  return {
    date: new Date().toISOString(),
    node: process.version,
    ours: versionOf("../.."),
    peers,
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    loadAverage: loadavg(),
    load,
  };
}

function versionOf(folder) {
  return JSON.parse(readFileSync(new URL(`${folder}/package.json`, import.meta.url), "utf8")).version;
}

export function createReport(stream) {
  const write = (line = "") => stream.write(`${line}\n`);

  return {
    head({ node, ours, peers, cpu, loadAverage }, { rounds, seconds }) {
      const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
      write(`Node ${node}, ${cpu}, load average ${loadAverage[0].toFixed(2)}`);
      write(`ours ${ours}, ${versions.join(", ")}`);
      write(
        `${rounds} × ${seconds} s each, wrk with ${load.threads} thread and ${load.connections} connections`,
      );
    },

    /** What runs now, on one line that the next one replaces; nothing where nobody looks. */
    progress(text) {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    },

    row({ name, title, measure, servers }, results) {
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
      write(`\n${name}: ${title}`);
      const unit = results.unit ? `${results.unit}/s` : units[measure];
      const cpuUnit = results.unit ? `CPU µs/${results.unit}` : cpuUnits[measure];
      write(
        table([
          ["", unit, "min–max", cpuUnit, ...memoryCell(results, "MiB after"), `ratio by ${unit}`, "by CPU"],
          ...results.servers.map((server) => cells(server, results)),
        ]),
      );
      for (const { name: peer, unequal } of servers)
        if (unequal) write(`  ${unequal.headers.join(", ")} of ${peer} is not compared: ${unequal.why}`);
    },

    bars(measured) {
      const lines = measured.flatMap(({ name, bars }) => bars.map((bar) => barCells(name, bar)));
      write(`\n${table([["bar", "needed", "ratio", "by CPU", ""], ...lines])}`);
    },
  };
}

function cells({ name, median, min, max, cpuMicroseconds, memory, ratio }, { measure, servers }) {
  const isLoad = measure === "load";
  const number = isLoad ? (value) => Math.round(value).toLocaleString("en") : (value) => value.toFixed(0);
  return [
    name,
    number(median),
    `${number(min)}–${number(max)}`,
    measure === "start" || measure === "reload"
      ? (cpuMicroseconds / 1000).toFixed(0)
      : cpuMicroseconds.toFixed(1),
    ...memoryCell({ servers }, memory?.toFixed(0)),
    ratio ? ratio.value.toFixed(2) : "",
    ratio ? numberOf(ratio.cpu) : "",
  ];
}

// The CPU time of a process that has ended is not known.
function numberOf(ratio) {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "";
}

function memoryCell({ servers }, text) {
  return servers[0].memory === undefined ? [] : [text];
}

function barCells(row, { against, of, atLeast, atMost, ratio, cpu, isMet }) {
  if (against === undefined) return [row, `≤ ${atMost}`, ratio.toFixed(1), "", isMet ? "met" : "MISSED"];
  return [
    `${row}${of === "value" ? "" : `, ${of === "cpu" ? "CPU" : of}`} against ${against}`,
    atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`,
    ratio.toFixed(2),
    of === "memory" ? "" : numberOf(cpu),
    isMet ? "met" : "MISSED",
  ];
}

// The first column is text, the others are numbers.
function table(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");
}
