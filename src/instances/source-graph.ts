/** The files of a function as its processes have told them: what is watched, and what was there when it was loaded. */
import { dirname, sep } from "node:path";

import type { SourceNews } from "../loading/source-recorder";

export interface SourceGraph {
  /** True when there is a path that was not there before. */
  note(instance: string, news: Pick<SourceNews, "files" | "missing">): boolean;
  /** This one serves now: what only others have loaded does not count any more. */
  keepOnly(instance: string): void;
  /** Watched in any case: env files, manifests. */
  setOwn(paths: readonly string[]): void;
  /** Everything whose coming, going or changing matters. */
  paths(): Set<string>;
  /** The paths that an event at this one, a file or a folder, may be about. */
  concernedBy(path: string): string[];
  /** The fingerprint of what is in use; null for a file that is not there. */
  known(path: string): string | null;
  isKnown(path: string): boolean;
  /** It was seen, and what follows from that is done. */
  see(path: string, fingerprint: string | null): void;
}

const loadable = /\.(?:[cm]?[jt]s|tsx|json|node)$/;

export function createSourceGraph(): SourceGraph {
  const byInstance = new Map<string, { files: Set<string>; missing: Set<string> }>();
  const fingerprints = new Map<string, string | null>();
  let own: ReadonlySet<string> = new Set();

  const isWatched = (path: string) =>
    own.has(path) || [...byInstance.values()].some(({ files }) => files.has(path));
  const missing = () => [...byInstance.values()].flatMap((one) => [...one.missing]);

  return {
    note(instance, news) {
      const graph = byInstance.get(instance) ?? { files: new Set(), missing: new Set() };
      byInstance.set(instance, graph);
      const before = new Set(missing());
      const isLarger =
        news.files.some(([path]) => !fingerprints.has(path)) ||
        news.missing.some((path) => !before.has(path));
      for (const [path, fingerprint] of news.files) {
        graph.files.add(path);
        fingerprints.set(path, fingerprint);
      }
      for (const path of news.missing) graph.missing.add(path);
      return isLarger;
    },
    keepOnly(instance) {
      for (const other of byInstance.keys()) if (other !== instance) byInstance.delete(other);
      for (const path of fingerprints.keys()) if (!isWatched(path)) fingerprints.delete(path);
    },
    setOwn(paths) {
      own = new Set(paths);
    },
    paths() {
      const files = [...byInstance.values()].flatMap((one) => [...one.files]);
      return new Set([...own, ...files, ...missing()]);
    },
    concernedBy(path) {
      const below = path + sep;
      const found = [...fingerprints.keys(), ...own].filter((one) => one === path || one.startsWith(below));
      const wanted = missing();
      const coming = wanted.filter((one) => one.startsWith(below)); // a folder on the way to it
      return [
        ...new Set([...found, ...coming, ...(wanted.some((one) => isAnswer(path, one)) ? [path] : [])]),
      ];
    },
    known: (path) => fingerprints.get(path) ?? null,
    isKnown: (path) => fingerprints.has(path),
    see: (path, fingerprint) => void fingerprints.set(path, fingerprint),
  };
}

/** True when the path is what was missing: it, it with an ending, or one module more in a folder. */
function isAnswer(path: string, missing: string): boolean {
  if (path === missing) return true;
  if (!loadable.test(path)) return false;
  return missing.endsWith("*")
    ? dirname(path) === dirname(missing)
    : path.startsWith(`${missing}.`) && !path.slice(missing.length + 1).includes(sep);
}
