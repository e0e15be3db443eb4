/**
 * Where sockets read into. All share one buffer, because what is read is used before the next read: an idle
 * connection owns none. A connection in a large body gets buffers of its own, so that what was read can be written as
 * it is: a copy of each chunk would cost a third of the throughput.
 */
const readSize = 64 * 1024;

const shared = Buffer.allocUnsafeSlow(readSize);
const canShare = process.platform !== "win32"; // there a buffer is in use from the start of a read to its end

export class ReadBuffer {
  #isLarge = false; // full reads come: a large body
  #own: Buffer | undefined;

  /** The buffer of the next read. */
  next(): Buffer {
    if (!this.#isLarge && canShare) return shared;
    this.#own ??= Buffer.allocUnsafeSlow(readSize);
    return this.#own;
  }

  /** Bytes that outlive the read: a copy, or the buffer itself when it is ours and mostly full. */
  keep(buffer: Buffer, start: number, end: number): Buffer {
    const isLarge = end - start > readSize / 2;
    if (isLarge && buffer === this.#own) {
      this.#own = undefined;
      return buffer.subarray(start, end);
    }
    if (isLarge) this.#isLarge = true;
    return Buffer.from(buffer.subarray(start, end));
  }

  /** The reply is at its end. */
  reset(): void {
    this.#isLarge = false;
    this.#own = undefined;
  }
}
