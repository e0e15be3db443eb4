/** What loading asks the file system for, told to whoever watches the sources. Nothing when nobody does. */
import { dirname, sep } from "node:path";

export interface SourceListener {
  /** A file is about to be read. */
  file(path: string): void;
  /** Wanted and not there: the path, or it with an ending; `FOLDER/*` is any module in the folder. */
  missing(path: string): void;
  /** The first `import` of a file comes. */
  beforeImport(): void;
}

let listener: SourceListener | undefined;

export function listenToSources(one: SourceListener): void {
  listener = one;
}

export function noteFile(path: string): void {
  listener?.file(path);
}

export function noteMissing(path: string): void {
  listener?.missing(path);
}

export function noteImport(): void {
  listener?.beforeImport();
}

const ownFolder = dirname(__dirname) + sep;

/** False for installed packages and the framework itself. A workspace package that is linked has its real path. */
export function isUsers(path: string): boolean {
  return !path.includes(`${sep}node_modules${sep}`) && !path.startsWith(ownFolder);
}
