/** Reads fields of a document and collects every problem with its place. */
import type { Path, SourceDocument } from "../core/document";
import { type FrameworkError, frameworkError } from "../core/errors";

type Fields = Record<string, unknown>;

export class FieldReader {
  readonly #document: SourceDocument;
  readonly problems: FrameworkError[];

  constructor(document: SourceDocument, problems: FrameworkError[]) {
    this.#document = document;
    this.problems = problems;
  }

  /** The value at a path, or undefined. */
  get(path: Path): unknown {
    let value: unknown = this.#document.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null) return undefined;
      value = (value as Fields)[key as string];
    }
    return value ?? undefined;
  }

  place(path: Path) {
    return this.#document.placeOf(path);
  }

  problem(path: Path, why: string): void {
    const details = { path: path.join("."), why };
    this.problems.push(frameworkError("FF_MANIFEST_FIELD", details, { place: this.place(path) }));
  }

  /** A text; numbers and booleans count as their text, as YAML without quotes makes them. */
  text(path: Path): string | undefined {
    const value = this.get(path);
    if (value === undefined) return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    this.problem(path, `must be a text, not ${describe(value)}`);
    return undefined;
  }

  required(path: Path): string {
    const value = this.text(path);
    if (value) return value;
    if (this.get(path) === undefined || value === "") this.problem(path, "is missing");
    return "";
  }

  list(path: Path): unknown[] {
    const value = this.get(path);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.problem(path, `must be a list, not ${describe(value)}`);
    return [];
  }

  map(path: Path): Fields {
    const value = this.get(path);
    if (value === undefined) return {};
    if (typeof value === "object" && !Array.isArray(value)) return value as Fields;
    this.problem(path, `must be a map, not ${describe(value)}`);
    return {};
  }

  /** A map of texts. */
  texts(path: Path): Record<string, string> {
    const names = Object.keys(this.map(path));
    return Object.fromEntries(names.map((name) => [name, this.text([...path, name]) ?? ""]));
  }
}

function describe(value: unknown): string {
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : `"${value}"`;
}
