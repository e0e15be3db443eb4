/** How `import` tells which files it reads. It answers nothing: that is for the hooks after it. */
import type { MessagePort } from "node:worker_threads";

import { fingerprintOf } from "../core/fingerprint";
import type { ImportHooks } from "./import-hooks";
import { isUsers, listenToSources, noteFile } from "./source-notes";
import { fileOf } from "./typescript-resolve";
import { noteUnresolved } from "./unresolved";

export interface SourceHooksData {
  /** Where the notes go from Node's thread for hooks; absent when the hooks run in the thread of the module. */
  port?: MessagePort;
}

/** The fingerprint is taken before the file is read, not when the note arrives: it may be another file by then. */
export type SourceNote = { file: string; fingerprint: string | null } | { missing: string };

export function createHooks({ port }: SourceHooksData): ImportHooks {
  if (port)
    listenToSources({
      file(file) {
        if (!isUsers(file)) return;
        port.postMessage({ file, fingerprint: fingerprintOf(file) ?? null } satisfies SourceNote);
      },
      missing: (missing) => port.postMessage({ missing } satisfies SourceNote),
      beforeImport: () => undefined,
    });
  return {
    resolveMissing(specifier, parent) {
      const from = parent === undefined ? undefined : fileOf(parent);
      if (from !== undefined) noteUnresolved(fileOf(specifier) ?? specifier, from);
      return undefined;
    },
    load(url) {
      const file = fileOf(url);
      if (file !== undefined) noteFile(file);
      return undefined;
    },
  };
}
