/** Bytes of an output to lines; what is too long is cut, and the next line is whole again. */

export interface LineReader {
  write(chunk: Buffer): void;
  /** The last line may have no end. */
  end(): void;
}

export function createLineReader(limit: number, onLine: (text: string) => void): LineReader {
  let parts: Buffer[] = [];
  let size = 0;

  const take = (part: Buffer) => {
    const kept = part.subarray(0, limit - size);
    if (kept.length === 0) return;
    parts.push(Buffer.from(kept)); // a copy: a slice would hold the whole chunk
    size += kept.length;
  };
  const finish = () => {
    const text = Buffer.concat(parts).toString("utf8");
    const isCut = size === limit;
    parts = [];
    size = 0;
    onLine((isCut ? text.replace(/\uFFFD$/, "") : text).replace(/\r$/, "")); // a cut may go through a character
  };

  return {
    write(chunk) {
      let begin = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, begin)) {
        take(chunk.subarray(begin, end));
        finish();
        begin = end + 1;
      }
      take(chunk.subarray(begin));
    },
    end() {
      if (size > 0) finish();
    },
  };
}

const newline = 10;
