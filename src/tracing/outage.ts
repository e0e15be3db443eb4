/** A collector that cannot be reached is told once, and once that it is back: never for each batch. */
import { messageOf } from "../core/errors";
import { log } from "../core/log";

export interface Outage {
  isOn(): boolean;
  failed(reason: unknown): void;
  succeeded(): void;
}

export function createOutage(collector: string): Outage {
  let isOn = false;
  return {
    isOn: () => isOn,
    failed(reason) {
      if (isOn) return;
      isOn = true;
      const why = messageOf(reason).replace(/\.$/, "");
      log.warn(
        `Traces cannot be sent to ${collector}: ${why}. Calls go on, what cannot be sent is lost. This is told once.`,
      );
    },
    succeeded() {
      if (isOn) log.info(`Traces are sent to ${collector} again.`);
      isOn = false;
    },
  };
}

/** Waits for work, but not for ever. Never rejects. */
export async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}

/** What a stop waits for the last batch. */
export const longestFlush = 3_000; // ms
