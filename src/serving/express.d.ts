// The three files of Express that are loaded without the rest of it (50 ms instead of 90). They have no types of their own.
declare module "express/lib/request" {
  const request: object;
  export = request;
}
declare module "express/lib/response" {
  const response: { send(this: unknown, body?: unknown): unknown };
  export = response;
}
declare module "express/lib/utils" {
  export function compileETag(value: unknown): unknown;
  export function compileQueryParser(value: unknown): unknown;
  export function compileTrust(value: unknown): unknown;
}
