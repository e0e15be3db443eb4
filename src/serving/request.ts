/** What requests carry of their invocation: `req.executionId`, `req.log` and the like, made when they are asked for. */
import type { Invocation } from "../core/invocation";

/** Where a request and its response keep their invocation. */
export const invocationOf = Symbol("invocation");

export interface Carrier {
  [invocationOf]?: Invocation | undefined;
}

const fields: Record<string, (invocation: Invocation | undefined) => unknown> = {
  executionId: (invocation) => invocation?.id,
  spanId: (invocation) => invocation?.cloudTrace?.spanId,
  abortController: (invocation) => invocation?.abortController,
  signal: (invocation) => invocation?.signal,
  log: (invocation) => invocation?.log,
};

/** Gives these fields to a prototype, or to a request whose prototype an application is going to replace. */
export function defineInvocationFields(target: object): void {
  for (const [name, read] of Object.entries(fields))
    defineLazily(target, name, (req: Carrier) => read(req[invocationOf]));
}

export function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
}

/** Made at the first read; an assignment replaces it, as for any other property. */
export function defineLazily<T>(target: object, name: string, make: (target: T) => unknown): void {
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get(this: object & T) {
      const value = make(this);
      define(this, name, value);
      return value;
    },
    set(this: object, value: unknown) {
      define(this, name, value);
    },
  });
}
