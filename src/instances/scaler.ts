/** How many instances a function should have. It sees how many requests want one, and the clock. */
import type { Clock } from "../core/clock";
import { createHistory } from "./demand-history";

export interface ScalerLimits {
  min: number;
  max: number;
  /** Requests at once that one instance may have. */
  concurrency: number;
  /** The part of it that is aimed at. */
  target: number;
  /** Seconds without a request after which the last one goes. */
  idle: number;
}

export interface Scaler {
  /** So many requests use an instance or wait for one, from now on. */
  record(demand: number): void;
  /** How many there should be while so many run. */
  desired(running: number): number;
  /** Somebody decides instead, for a while. */
  hold(instances: number): void;
  readonly isHeld: boolean;
}

const stableWindow = 60_000; // ms
const panicWindow = 6_000;
const holdFor = 10_000;

/**
 * Demand divided by what one instance should carry, averaged over the stable window. When the short window asks for
 * twice as many as run, or more is wanted now than those that run may have, that decides, and nothing is taken away
 * until a stable window has passed since.
 */
export function createScaler({ clock, limits }: { clock: Clock; limits: () => ScalerLimits }): Scaler {
  const history = createHistory(clock.now(), stableWindow);
  let demand = 0;
  let lastRequest = Number.NEGATIVE_INFINITY;
  let panicUntil = Number.NEGATIVE_INFINITY;
  let held: { instances: number; until: number } | undefined;

  function wanted(now: number, running: number): number {
    const { concurrency, target } = limits();
    const instancesFor = (requests: number) => Math.ceil(requests / (concurrency * target) - rounding);
    const stable = instancesFor(history.average(now, stableWindow));
    const panic = instancesFor(history.average(now, panicWindow));
    const atOnce = Math.ceil(demand / concurrency);
    if (panic >= 2 * Math.max(running, 1) || atOnce > running) panicUntil = now + stableWindow;
    return now < panicUntil ? Math.max(running, panic, atOnce) : Math.max(stable, atOnce);
  }

  return {
    record(next) {
      const now = clock.now();
      history.record(now, next);
      if (next > 0 || demand > 0) lastRequest = now;
      demand = next;
    },
    desired(running) {
      const now = clock.now();
      if (held && now < held.until) return held.instances;
      held = undefined;
      const { min, max, idle } = limits();
      const isIdle = demand === 0 && now - lastRequest >= idle * 1000;
      return isIdle ? min : Math.min(Math.max(wanted(now, running), 1, min), max);
    },
    hold(instances) {
      held = { instances, until: clock.now() + holdFor };
    },
    get isHeld() {
      return held !== undefined;
    },
  };
}

const rounding = 1e-9; // 3 requests for 3 × 0.1 × 10 are one instance, whatever the last bit says
