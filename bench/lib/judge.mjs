// From samples to medians, ratios and verdicts.

/** A load's ratio says how much more ours does, of the others how much more ours takes. */
export function judge(row, measured) {
  const servers = row.servers.map((server, index) => ({ ...describe(server), ...summary(measured[index]) }));
  const [ours] = servers;
  for (const server of servers.slice(1)) server.ratio = ratios(row, ours, server);
  const bars = row.bars.map((bar) => verdict(bar, servers));
  return { name: row.name, title: row.title, measure: row.measure, unit: row.unit, servers, bars };
}

function describe({ name, package: packageName, unequal }) {
  return { name, ...(packageName && { package: packageName }), ...(unequal && { unequal }) };
}

function summary({ samples, memory }) {
  const values = samples.map(({ value }) => value);
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    // Over all rounds at once: one tick of the kernel's clock is 10 ms.
    cpuMicroseconds: (1e6 * sum(samples, "cpu")) / sum(samples, "work"),
    ...(memory !== undefined && { memory }),
    values,
  };
}

function ratios({ measure }, ours, peer) {
  const cpu = ours.cpuMicroseconds / peer.cpuMicroseconds;
  return {
    value: ours.median / peer.median,
    cpu: measure === "load" ? 1 / cpu : cpu,
    ...(peer.memory !== undefined && { memory: ours.memory / peer.memory }),
  };
}

function verdict({ against, of = "value", atLeast, atMost }, servers) {
  if (against === undefined) {
    const { median: own } = servers[0];
    return { of, atMost, ratio: own, isMet: own <= atMost };
  }
  const { ratio } = servers.find(({ name }) => name === against);
  const isMet = atLeast === undefined ? ratio[of] <= atMost : ratio[of] >= atLeast;
  return { against, of, atLeast, atMost, ratio: ratio[of], cpu: ratio.cpu, isMet };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function sum(samples, field) {
  return samples.reduce((total, sample) => total + sample[field], 0);
}
