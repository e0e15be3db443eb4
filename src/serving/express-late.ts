/**
 * Express's request and response, loaded when a function first uses one of their methods: 40 ms that the start of a
 * function which only sends text or JSON does not pay.
 *
 * Two stand-ins are the prototypes of our messages. They know the names of Express's methods; the first read of one
 * loads Express, after which the stand-ins are empty and inherit from the real ones.
 */
import { IncomingMessage, ServerResponse } from "node:http";

import { lazyRequire } from "../core/lazy";
import { type ExpressParts, loadExpress } from "./express";

/** All names of Express 5, in its order; a test compares them with the installed version. */
export const expressNames = {
  request:
    "header get accepts acceptsEncodings acceptsCharsets acceptsLanguages range query is protocol secure ip ips subdomains path host hostname fresh stale xhr",
  response:
    "status links send json jsonp sendStatus sendFile download type contentType format attachment append header set get clearCookie cookie location redirect vary render",
};

export interface LateExpress {
  /** In place of Express's own, from the start. */
  request: object;
  response: object;
  /** Loads Express, once. */
  load(): ExpressParts;
}

export function createLateExpress(): LateExpress {
  let parts: ExpressParts | undefined;
  const load = () => {
    if (parts === undefined) {
      parts = loadExpress();
      becomes(request, parts.request);
      becomes(response, parts.response);
    }
    return parts;
  };
  const request = standIn(IncomingMessage.prototype, expressNames.request, load);
  const response = standIn(ServerResponse.prototype, expressNames.response, load);
  if (isLoaded()) load(); // by the user's code, which may have added methods of its own
  return { request, response, load };
}

function standIn(prototype: object, names: string, load: () => unknown): object {
  const target = Object.create(prototype);
  for (const name of names.split(" "))
    Object.defineProperty(target, name, {
      configurable: true,
      enumerable: true,
      get(this: object) {
        load();
        return Reflect.get(target, name, this);
      },
      set(this: object, value: unknown) {
        load();
        Reflect.set(target, name, value, this);
      },
    });
  return target;
}

function becomes(target: object, real: object): void {
  for (const name of Object.keys(target)) Reflect.deleteProperty(target, name);
  Object.setPrototypeOf(target, real);
}

function isLoaded(): boolean {
  return Object.keys(lazyRequire.cache ?? {}).some((file) =>
    /[\\/]express[\\/]lib[\\/]response\.js$/.test(file),
  );
}
