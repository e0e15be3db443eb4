/**
 * The three files of Express that are needed, loaded without the rest of it: 50 ms instead of 90. They are no
 * documented entry points, so where a version of Express has them elsewhere, the whole application gives the same.
 */
import type { Application } from "express";

import { lazyRequire } from "../core/lazy";

export interface ExpressParts {
  request: object;
  response: Record<"send" | "json", (this: unknown, body?: unknown) => unknown>;
  /** The function behind a setting, such as "etag fn" for "etag". */
  compile(setting: "etag" | "query parser" | "trust proxy", value: unknown): unknown;
}

type Express = { (): Application; request: ExpressParts["request"]; response: ExpressParts["response"] };
type Utils = Record<"compileETag" | "compileQueryParser" | "compileTrust", (value: unknown) => unknown>;

export function loadExpress(load: (name: string) => unknown = lazyRequire): ExpressParts {
  try {
    const utils = load("express/lib/utils") as Utils;
    const compilers = {
      etag: utils.compileETag,
      "query parser": utils.compileQueryParser,
      "trust proxy": utils.compileTrust,
    };
    return {
      request: load("express/lib/request") as ExpressParts["request"],
      response: load("express/lib/response") as ExpressParts["response"],
      compile: (setting, value) => compilers[setting](value),
    };
  } catch {
    const express = load("express") as Express;
    const { request, response } = express;
    return {
      request,
      response,
      compile: (setting, value) => express().set(setting, value).get(`${setting} fn`),
    };
  }
}
