/** YAML and JSON documents whose values know their place in the file. */
import { LineCounter, parseAllDocuments } from "yaml";

import { type FrameworkError, frameworkError, type Place } from "./errors";

export type Path = readonly (string | number)[];

export interface SourceDocument {
  /** Plain JavaScript value of the document. */
  value: unknown;
  /** The place of a value, or of the nearest parent that exists. */
  placeOf(path: Path): Place;
}

/** Reads every document of a YAML (or JSON) text. Syntax problems are FF_MANIFEST_SYNTAX, all of them. */
export function readDocuments(
  text: string,
  file: string,
): { documents: SourceDocument[]; problems: FrameworkError[] } {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const documents: SourceDocument[] = [];
  const problems: FrameworkError[] = [];
  // With no content at all the parser returns an empty marker instead of a list.
  for (const document of [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })]) {
    for (const error of document.errors) {
      problems.push(
        frameworkError("FF_MANIFEST_SYNTAX", { why: error.message }, { place: placeAt(error.pos[0]) }),
      );
    }
    if (document.errors.length > 0) continue;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (err) {
      const why = err instanceof Error ? err.message : String(err);
      problems.push(frameworkError("FF_MANIFEST_SYNTAX", { why }, { place: placeAt(document.range[0]) }));
      continue;
    }
    if (value === null || value === undefined) continue; // an empty document between two markers
    documents.push({
      value,
      placeOf(path) {
        for (let length = path.length; length > 0; length--) {
          const node = document.getIn(path.slice(0, length), true) as
            | { range?: [number, number, number] }
            | undefined;
          if (node?.range) return placeAt(node.range[0]);
        }
        return placeAt(document.contents?.range?.[0] ?? document.range[0]);
      },
    });
  }
  return { documents, problems };
}
