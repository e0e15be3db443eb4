/**
 * What `req.app` is: the settings and locals of an Express application without its router. Express's request and
 * response methods ask it for their settings; anything beyond that (views) loads all of Express.
 */
import { resolve } from "node:path";
import type { Application } from "express";

import { lazyRequire } from "../core/lazy";
import type { ExpressParts } from "./express";
import { defineLazily } from "./request";

/** The part of an Express application that its request and response use. */
export interface AppSettings {
  settings: Record<string, unknown>;
  locals: Record<string, unknown>;
  get(name: string): unknown;
  set(name: string, value: unknown): AppSettings;
  enabled(name: string): boolean;
  disabled(name: string): boolean;
  enable(name: string): AppSettings;
  disable(name: string): AppSettings;
  engine(extension: string, render: unknown): AppSettings;
  render(view: string, ...rest: unknown[]): void;
}

/**
 * The settings of the original frameworks: every proxy is trusted, no ETag, no X-Powered-By, simple query parser;
 * the others are Express's defaults.
 */
export function createAppSettings(compile: ExpressParts["compile"]): AppSettings {
  const settings: Record<string, unknown> = {
    env: process.env.NODE_ENV || "development",
    etag: false,
    "etag fn": undefined,
    "query parser": "simple",
    "trust proxy": true,
    "x-powered-by": false,
    "subdomain offset": 2,
    "jsonp callback name": "callback",
    views: resolve("views"),
  };
  // Compiled at the first read, because what compiles them is a part of Express.
  for (const name of ["query parser", "trust proxy"] as const)
    defineLazily(settings, `${name} fn`, () => compile(name, settings[name]));
  const engines: [string, unknown][] = [];
  let express: Application | undefined;

  function fullApplication(): Application {
    if (express === undefined) {
      express = (lazyRequire("express") as () => Application)(); // 40 ms
      for (const [name, value] of Object.entries(settings))
        if (!name.endsWith(" fn")) express.set(name, value);
      for (const [extension, render] of engines) express.engine(extension, render as never);
    }
    express.locals = app.locals as Application["locals"];
    return express;
  }

  const app: AppSettings = {
    settings,
    locals: Object.assign(Object.create(null), { settings }), // template engines read it there
    get: (name) => settings[name],
    set(name, value) {
      settings[name] = value;
      express?.set(name, value);
      if (name === "etag" || name === "query parser" || name === "trust proxy")
        settings[`${name} fn`] = compile(name, value);
      return app;
    },
    enabled: (name) => Boolean(settings[name]),
    disabled: (name) => !settings[name],
    enable: (name) => app.set(name, true),
    disable: (name) => app.set(name, false),
    engine(extension, render) {
      engines.push([extension, render]);
      express?.engine(extension, render as never);
      return app;
    },
    render: (view, ...rest) => fullApplication().render(view, ...(rest as [never])),
  };
  return app;
}
