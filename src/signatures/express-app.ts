/** An Express application as target: its replies carry no more than those of other functions. */

interface ExpressApp {
  settings: Record<string, unknown>;
  set(name: string, value: unknown): unknown;
}

/**
 * Turns off what Express adds by default, ETag and X-Powered-By, as the original frameworks do for functions. A tag
 * that the application chose itself stays: the default is "weak".
 */
export function quietExpressApp(fn: unknown): void {
  if (!isExpressApp(fn)) return;
  fn.set("x-powered-by", false);
  if (fn.settings.etag === "weak") fn.set("etag", false);
}

// Express 4 and 5 alike; a router has no settings.
function isExpressApp(value: unknown): value is ExpressApp {
  const app = value as Partial<ExpressApp> & { handle?: unknown };
  return (
    typeof app.handle === "function" && typeof app.set === "function" && typeof app.settings === "object"
  );
}
