/** What a request asks for (RFC 9112 §3.2). */
import { malformedRequest } from "./errors";

/** Origin form, absolute form, or `*`. */
export function splitTarget(url: string): { authority: string | undefined; path: string } {
  if (url.startsWith("/") || url === "*") return { authority: undefined, path: url };
  const [, authority, rest = ""] = /^https?:\/\/(?:[^/?#@]*@)?([^/?#@]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) throw malformedRequest("its target is neither a path nor a URL");
  return { authority, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/** A path that ends no line and no word. */
export function checkedPath(path: string): string {
  if (!/^[\x21-\x7e\x80-\xff]+$/.test(path))
    throw malformedRequest("its path holds a character that no path may hold");
  return path;
}
