/** An error whose message says all: it is printed without a stack. */
export function readerError(message) {
  return Object.assign(new Error(message), { isForReader: true });
}
