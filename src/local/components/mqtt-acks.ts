/** What one MQTT session has sent and the broker has not answered yet: publishes of QoS 1 and 2, subscribes. */

interface Waiting {
  resolve(): void;
  reject(err: Error): void;
}

const timeout = 10_000; // ms
const packetIds = 65_535; // MQTT 3.1.1 §2.3.1

export class Acks {
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /** Sends with a packet id of its own; resolves when the broker has answered to it. */
  async expect(send: (messageId: number) => void): Promise<void> {
    const messageId = this.#next();
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`the broker has not answered within ${timeout / 1000} s`)),
          timeout,
        );
        this.#waiting.set(messageId, { resolve, reject });
        send(messageId);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(messageId);
    }
  }

  settle(messageId: number): void {
    this.#waiting.get(messageId)?.resolve();
    this.#waiting.delete(messageId);
  }

  /** The connection is gone: whether the broker has them is not known. */
  fail(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
  }

  #next(): number {
    if (this.#waiting.size >= packetIds) throw new Error("the broker has not answered to 65535 messages");
    do this.#last = (this.#last % packetIds) + 1;
    while (this.#waiting.has(this.#last));
    return this.#last;
  }
}
