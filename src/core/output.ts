/** The end of what this process writes: pipes and sockets take it later than it is written. */
import { Writable } from "node:stream";

const patience = 10_000; // ms: a reader that takes nothing holds up nobody for ever

/** Resolves when all that was written to stdout and stderr by now has left the process, or nobody takes it. */
export async function untilWritten(): Promise<void> {
  const streams: Writable[] = [process.stdout, process.stderr];
  const left = () => streams.reduce((sum, { writableLength }) => sum + writableLength, 0);
  let before = left();
  let look: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    look = setInterval(() => {
      if (left() >= before) resolve();
      before = left();
    }, patience);
  });
  await Promise.race([Promise.all(streams.map(written)), late]);
  clearInterval(look);
}

function written(stream: Writable): Promise<void> | undefined {
  if (!stream.writable || stream.writableLength === 0) return undefined;
  // The user's code may have replaced `write`. Also called when the reader is gone.
  return new Promise((resolve) => Writable.prototype.write.call(stream, "", "utf8", () => resolve()));
}
