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
    defineGetter(target, name, (req: Carrier) => read(req[invocationOf])); // the invocation keeps what it has made
}

export function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
}

/** Made at the first read and kept by the object itself. */
export function defineLazily<T>(target: object, name: string, make: (target: T) => unknown): void {
  defineGetter(target, name, (self: object & T) => {
    const value = make(self);
    define(self, name, value);
    return value;
  });
}

/** An assignment replaces it, as for any other property. */
function defineGetter<T>(target: object, name: string, read: (target: T) => unknown): void {
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get(this: T) {
      return read(this);
    },
    set(this: object, value: unknown) {
      define(this, name, value);
    },
  });
}
