/** One function: its instances, how many there are, and how a changed one takes the place of what runs. */
import type { Clock } from "../core/clock";
import { type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import type { ErrorDescription } from "../core/log";
import { createGeneration, type Generation } from "./generation";
import type { Instance } from "./instance";
import { createLeases, type Lease, type LeaseResult } from "./leases";
import { createLogs } from "./logs";
import { createRecord } from "./record";
import { crashLoopOf, refusalOf, retryAfterOf } from "./refusals";
import { createScaler } from "./scaler";
import { Slot } from "./slot";
import { createSlots, isReady } from "./slots";
import { type FunctionLimits, hasOwnPort, isSameProcess, type ProcessSettings } from "./spec";
import { type FunctionStatus, type InstanceChange, stateOf } from "./status";

export interface PoolOptions {
  function: string;
  limits: FunctionLimits;
  clock: Clock;
  /** An id that no other instance has. */
  nextId(): string;
  startProcess(slot: Slot, pool: Pool, settings: ProcessSettings, signal: AbortSignal): Promise<Instance>;
  onChange(change: InstanceChange): void;
}

const tickEvery = 1_000; // ms

export class Pool {
  readonly logs;
  readonly #options: PoolOptions;
  readonly #leases;
  readonly #scaler;
  readonly #slots = createSlots();
  readonly #record;
  #limits: FunctionLimits;
  /** What gets requests, and what is to take its place. */
  #serving: Generation | undefined;
  #next: Generation | undefined;
  #generations = 0;
  /** Why the last settings could not be used at all. */
  #problem: FrameworkError | undefined;
  #cancelTick: (() => void) | undefined;
  #isAdjustDue: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: PoolOptions) {
    const { clock } = options;
    this.#options = options;
    this.#limits = options.limits;
    this.logs = createLogs(clock);
    this.#record = createRecord(options);
    this.#scaler = createScaler({ clock, limits: () => this.#limits });
    this.#leases = createLeases<Slot>({
      function: options.function,
      clock,
      limits: () => this.#limits,
      refusal: () => this.#refusal(),
      retryAfter: () => retryAfterOf(this.#serving),
      onShortage: () => this.#adjust(),
      onDemand: (demand) => this.#scaler.record(demand),
      onRelease: (slot, result) => this.#noteRelease(slot, result),
    });
  }

  get limits(): FunctionLimits {
    return this.#limits;
  }

  /** Resolves when it runs with these settings, or it is known why not. */
  async apply(limits: FunctionLimits, settings: ProcessSettings): Promise<void> {
    this.#limits = limits;
    this.#forgetProblem();
    const wanted = this.#next ?? this.#serving;
    if (!wanted || !isSameProcess(wanted.settings, settings)) {
      if (this.#next && this.#serving && isSameProcess(this.#serving.settings, settings)) this.#dropNext();
      else this.#replace(settings);
    }
    this.#leases.serve();
    this.#adjust();
    await (this.#next ?? this.#serving)?.settled;
  }

  /** The settings cannot be used: what runs goes on. */
  keep(error: FrameworkError): void {
    this.#problem = error;
    this.#record.noteError(error);
  }

  /** New processes with these settings, whether or not they differ. */
  async restart(settings: ProcessSettings): Promise<void> {
    this.#forgetProblem();
    this.#replace(settings);
    this.#adjust();
    await (this.#next ?? this.#serving)?.settled;
  }

  acquire(options?: { signal?: AbortSignal | undefined }): Promise<Lease> {
    return this.#leases.acquire(options);
  }

  /** Requests wait, also those that an instance could take, until the returned function is called. */
  hold(): () => void {
    return this.#leases.hold();
  }

  /** Error: FF_INSTANCE_SCALE. */
  scale(instances: number): void {
    const { max } = this.#limits;
    if (!Number.isInteger(instances) || instances < 0 || instances > max)
      throw frameworkError("FF_INSTANCE_SCALE", { function: this.#options.function, instances, max });
    this.#scaler.hold(instances);
    this.#adjust();
  }

  status(): FunctionStatus {
    const instances = [...this.#slots].map((slot) => slot.status());
    const { counters, lastError } = this.#record;
    return {
      name: this.#options.function,
      state: this.#problem && !this.#serving ? "failed" : stateOf(instances),
      instances,
      desired: this.#scaler.desired(this.#slots.live().length),
      waiting: this.#leases.waiting,
      counters: { ...counters },
      ...(lastError && { lastError }),
    };
  }

  /** Turns away who waits, drains the instances. Twice is fine. */
  async stop(grace: number, refusal: () => FrameworkError): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#leases.refuseAll(refusal);
    this.#next?.settle();
    this.#serving?.settle();
    await Promise.all([...this.#slots].map((slot) => slot.stop(grace)));
    this.logs.close();
  }

  // --- how many

  #adjust(): void {
    if (this.#isStopped || !this.#serving) return;
    const { rule, number } = this.#serving;
    const own = this.#slots.liveOf(number);
    const old = this.#outgoing();
    const desired = this.#scaler.desired(own.length + old.length);
    if (own.filter(isReady).length >= desired) this.#retire(old);
    // While it has to wait, one that waits is enough.
    const most = rule.startsIn() > 0 ? Math.min(desired, Math.max(own.length, 1)) : desired;
    for (let missing = most - own.length; missing > 0; missing--) this.#addSlot(this.#serving);
    if (own.length > desired) this.#retire(own.slice(0, own.length - desired));
    if (desired === 0) this.#serving.settle(); // none is wanted
    this.#scheduleTick();
  }

  // What changes one instance may change several: they are counted when all of them have changed.
  #adjustSoon(): void {
    this.#isAdjustDue ??= Promise.resolve().then(() => {
      this.#isAdjustDue = undefined;
      this.#adjust();
    });
  }

  #scheduleTick(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    const { min, max } = this.#limits;
    const mayChange = min !== max && (this.#slots.size > 0 || this.#leases.waiting > 0);
    if (!mayChange && !this.#scaler.isHeld) return;
    this.#cancelTick = this.#options.clock.after(tickEvery, () => this.#adjust());
  }

  #outgoing(): Slot[] {
    return this.#slots.liveBefore(this.#serving?.number, this.#next?.number);
  }

  #addSlot(generation: Generation): void {
    const { function: name, clock, nextId, startProcess } = this.#options;
    const slot = new Slot({
      id: nextId(),
      function: name,
      generation: generation.number,
      rule: generation.rule,
      clock,
      start: async (one, signal) => {
        await generation.mayStart;
        signal.throwIfAborted();
        return startProcess(one, this, generation.settings, signal);
      },
      onChange: (one, error) => this.#onChange(one, generation, error),
    });
    this.#slots.add(slot);
  }

  #retire(slots: readonly Slot[]): void {
    for (const slot of slots) background(slot.stop(this.#limits.grace));
  }

  // --- what takes the place of what

  #replace(settings: ProcessSettings): void {
    this.#record.forgetErrors();
    this.#dropNext();
    const running = this.#slots.live();
    const { clock } = this.#options;
    const { afterCrashLoop, grace } = this.#limits;
    const generation = createGeneration({ number: ++this.#generations, settings, clock, afterCrashLoop });
    if (this.#slots.hasReady && !hasOwnPort(settings.listen)) {
      this.#next = generation;
      return this.#addSlot(generation);
    }
    this.#serving?.settle();
    this.#serving = generation;
    const ended = Promise.all(running.map((slot) => slot.stop(grace)));
    if (hasOwnPort(settings.listen)) generation.mayStart = ended;
    else background(ended);
  }

  #dropNext(): void {
    if (!this.#next) return;
    this.#next.settle();
    this.#retire(this.#slots.liveOf(this.#next.number));
    this.#next = undefined;
  }

  #onChange(slot: Slot, generation: Generation, error: ErrorDescription | undefined): void {
    const { state } = slot;
    if (state === "ready") this.#noteReady(slot, generation);
    else this.#leases.remove(slot);
    if (error) generation.lastFailure = error;
    if (error) generation.settle();
    if (state === "stopped") {
      this.#slots.delete(slot);
      this.logs.retire(slot.id);
    }
    this.#record.noteChange(slot, error);
    if (error && generation.rule.isCrashLoop)
      this.#record.noteCrashLoop(slot, crashLoopOf(this.#options.function, generation), error);
    const refusal = this.#slots.hasReady || this.#leases.isOnHold ? undefined : this.#refusal();
    if (refusal) this.#leases.refuseAll(() => refusal);
    if (error && this.#outgoing().includes(slot)) this.#retire([slot]); // it is going to be replaced anyway
    if (state !== "starting") this.#adjustSoon();
  }

  #noteReady(slot: Slot, generation: Generation): void {
    if (generation === this.#next) {
      this.#serving?.settle();
      this.#serving = generation;
      this.#next = undefined;
      this.#retire(this.#outgoing().filter((one) => !isReady(one)));
    }
    this.#leases.add(slot);
    this.#retire(this.#outgoing().slice(0, 1)); // one for one
    generation.settle();
  }

  #noteRelease(slot: Slot, result: LeaseResult): void {
    this.#record.noteRequest(result);
    if (result.hasAnswer ?? result.ok) slot.noteAnswer();
    slot.noteRelease();
  }

  // Until it is said again.
  #forgetProblem(): void {
    if (this.#problem) this.#record.forgetErrors();
    this.#problem = undefined;
  }

  #refusal(): FrameworkError | undefined {
    const { function: name } = this.#options;
    return refusalOf({ function: name, serving: this.#serving, problem: this.#problem });
  }
}
