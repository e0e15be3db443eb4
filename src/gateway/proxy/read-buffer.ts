/**
 * Where sockets read into. All share one buffer, because what is read is used before the next read: an idle
 * connection owns none. A connection in a large body gets buffers of its own, so that what was read can be written as
 * it is: a copy of each chunk would cost a third of the throughput.
 */
export const readSize = 64 * 1024;

const shared = Buffer.allocUnsafeSlow(readSize);
const canShare = process.platform !== "win32"; // there a buffer is in use from the start of a read to its end

export class ReadBuffer {
  /** Set in a large body. */
  isLarge = false;
  #own: Buffer | undefined;

  /** The buffer of the next read. */
  next(): Buffer {
    if (!this.isLarge && canShare) {
      this.#own = undefined;
      return shared;
    }
    this.#own ??= Buffer.allocUnsafeSlow(readSize);
    return this.#own;
  }

  /** Bytes that outlive the read: a copy, or the buffer itself when it is ours and mostly full. */
  keep(buffer: Buffer, start: number, end: number): Buffer {
    if (buffer !== this.#own || end - start < readSize / 4) return Buffer.from(buffer.subarray(start, end));
    this.#own = undefined;
    return buffer.subarray(start, end);
  }
}
