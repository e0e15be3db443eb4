/** What would have to be there for a specifier that was not found. */
import { existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";

import { isUsers, noteMissing } from "./source-notes";

/** Notes it for whoever watches the sources. */
export function noteUnresolved(specifier: string, parent: string): void {
  if (!isUsers(parent)) return;
  if (isAbsolute(specifier) || /^\.{1,2}(?:\/|$)/.test(specifier))
    return notePath(resolve(dirname(parent), specifier));
  const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  if (name === undefined || /^#|:/.test(specifier)) return; // package.json says what it means, and is watched
  for (let folder = dirname(parent); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) {
      noteMissing(join(folder, "node_modules", name));
      noteMissing(join(folder, "node_modules", ".package-lock.json")); // npm writes it when all files are there
    }
    if (folder === dirname(folder)) return;
  }
}

function notePath(path: string): void {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  noteMissing(isFolder ? join(path, "index") : path);
}
