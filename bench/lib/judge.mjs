// From samples to medians, ratios and verdicts.

/** A load's ratio says how much more ours does, of the others how much more ours takes. */
export function judge(row, measured) {
  const servers = row.servers.map((server, index) => ({ ...describe(server), ...summary(measured[index]) }));
  const [ours] = servers;
  for (const [index, server] of servers.entries())
    if (server !== ours)
      server.ratio = ratios(row, [ours, measured[0].samples], [server, measured[index].samples]);
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

// Round by round, as a machine may be half as fast a minute later. A start is too short for the clock of CPU time.
function ratios({ measure }, [ours, ownSamples], [peer, peerSamples]) {
  const ofRounds = (figure) =>
    median(ownSamples.map((own, round) => figure(own) / figure(peerSamples[round])));
  return {
    value: ofRounds(({ value }) => value),
    cpu:
      measure === "load"
        ? ofRounds(({ work, cpu }) => work / cpu)
        : ours.cpuMicroseconds / peer.cpuMicroseconds,
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
