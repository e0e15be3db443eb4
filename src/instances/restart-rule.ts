/**
 * When the next process of a function may start. One that has answered is replaced at once; one that has not waits,
 * longer each time; five such ends in a row are a crash loop.
 */
import { createBackoff } from "../core/backoff";
import type { Clock } from "../core/clock";

/** What happens after a crash loop: another start at the end of the pause, or none before a change or a restart. */
export type AfterCrashLoop = "retry" | "stop";

export interface RestartRule {
  /** A process is ready: what fails from now on is worth another try. */
  wasReady(): void;
  /** A request was answered. */
  hasAnswered(): void;
  /** A process ended by itself, or did not come up. */
  ended(how: { answered: boolean }): void;
  /** The worker says that it cannot be served. */
  cannotLoad(): void;
  /** Milliseconds until a start is allowed; Infinity: none before a change or a restart. */
  startsIn(): number;
  readonly isCrashLoop: boolean;
  /** It never was ready, and says that it cannot be. */
  readonly cannotBeLoaded: boolean;
  /** Ends in a row without an answer. */
  readonly deaths: number;
}

export interface RestartRuleOptions {
  clock: Clock;
  afterCrashLoop: AfterCrashLoop;
}

const pauses = { initial: 250, factor: 2, max: 30_000 };
const loopBegins = 5;

export function createRestartRule({ clock, afterCrashLoop }: RestartRuleOptions): RestartRule {
  const pause = createBackoff(pauses);
  let deaths = 0;
  let notBefore = Number.NEGATIVE_INFINITY;
  let wasReady = false;
  let cannotBeLoaded = false;

  const rule: RestartRule = {
    wasReady() {
      wasReady = true;
    },
    hasAnswered() {
      deaths = 0;
      pause.reset();
    },
    ended({ answered }) {
      if (answered) return;
      deaths++;
      const isOver = rule.isCrashLoop && afterCrashLoop === "stop";
      notBefore = isOver ? Number.POSITIVE_INFINITY : clock.now() + pause.next();
    },
    cannotLoad() {
      if (wasReady) return rule.ended({ answered: false });
      cannotBeLoaded = true;
      notBefore = Number.POSITIVE_INFINITY;
    },
    startsIn: () => Math.max(0, notBefore - clock.now()),
    get isCrashLoop() {
      return deaths >= loopBegins;
    },
    get cannotBeLoaded() {
      return cannotBeLoaded;
    },
    get deaths() {
      return deaths;
    },
  };
  return rule;
}
