/** Four lines on stdout that compatible tools read. */
import type { Running } from "./options";

/** Left out with NODE_ENV=production, as in the original frameworks. */
export function printBanner({ functions, port }: Pick<Running, "functions" | "port">): void {
  if (process.env.NODE_ENV === "production") return;
  const names = functions.map(({ name }) => name).join(", ");
  const signatures = [...new Set(functions.map(({ signature }) => signature))].join(", ");
  process.stdout.write(
    `Serving function...\nFunction: ${names}\nSignature type: ${signatures}\nURL: http://localhost:${port}/\n`,
  );
}
