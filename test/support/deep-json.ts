/** From Node 26 on a value may be as deep as memory is; before that JSON.stringify runs out of stack. */
export function canRewrite(json: string): boolean {
  try {
    return JSON.stringify(JSON.parse(json)) === json;
  } catch {
    return false;
  }
}
