/** MQTT topic filters (MQTT 3.1.1 §4.7): `+` is one level, `#` the rest; `$share/group/` is no part of the filter. */

export function matchesFilter(filter: string, topic: string): boolean {
  const wanted = filter.replace(/^\$share\/[^/]+\//, "").split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && /^[+#]$/.test(wanted[0] ?? "")) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (levels[index] === undefined || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

export function isWildcard(filter: string): boolean {
  return /[+#]/.test(filter);
}
