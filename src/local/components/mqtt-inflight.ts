/** The messages of one MQTT session that are being handled: how many at once, and which answer each gets. */
import type { IPublishPacket } from "mqtt-packet";

export interface InFlightOptions {
  /** Messages being handled at most. */
  limit: number;
  /** A rejection leaves the message unacknowledged. */
  handle(packet: IPublishPacket): Promise<void>;
  /** Sends the answer; not called while there is no connection. */
  acknowledge(packet: IPublishPacket): void;
  isConnected(): boolean;
  /** Nothing more is to be read while it is full. */
  onFull(isFull: boolean): void;
}

interface Entry {
  packet: IPublishPacket;
  isDone: boolean;
}

export class InFlight {
  readonly #options: InFlightOptions;
  readonly #entries = new Map<number, Entry>(); // by packet id, QoS 1 and 2
  #backlog: IPublishPacket[] = []; // read together with the last one that had room
  #busy = 0;
  #isFull = false;

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  receive(packet: IPublishPacket): void {
    const known = packet.messageId === undefined ? undefined : this.#entries.get(packet.messageId);
    // Sent again after a reconnect while its first copy is still being handled, or is done: one handling, one answer.
    if (known && packet.dup && isSame(known.packet, packet)) {
      if (known.isDone) this.#answer(packet);
      return;
    }
    if (this.#busy >= this.#options.limit) this.#backlog.push(packet);
    else void this.#start(packet);
  }

  /** The broker has seen our PUBREC: the packet id is free. */
  release(messageId: number): void {
    this.#entries.delete(messageId);
  }

  /** What has not begun yet is sent again by the broker. */
  disconnected(): void {
    this.#backlog = this.#backlog.filter(({ qos }) => qos === 0);
  }

  /** The broker has forgotten the session: its packet ids mean other messages now. */
  forget(): void {
    this.#entries.clear();
  }

  async #start(packet: IPublishPacket): Promise<void> {
    const entry: Entry = { packet, isDone: false };
    if (packet.messageId !== undefined && packet.qos > 0) this.#entries.set(packet.messageId, entry);
    this.#busy++;
    this.#tellFull(this.#busy >= this.#options.limit);
    try {
      await this.#options.handle(packet);
      entry.isDone = true;
      if (this.#isCurrent(entry) && this.#options.isConnected()) this.#answer(packet);
    } catch {
      // The runtime stops, or nobody handles this topic. Unacknowledged is the answer: the broker sends it again after
      // a reconnect, and then it is a new one.
      if (this.#isCurrent(entry)) this.#entries.delete(packet.messageId as number);
    }
    this.#busy--;
    this.#makeRoom();
  }

  #makeRoom(): void {
    while (this.#busy < this.#options.limit) {
      const next = this.#backlog.shift();
      if (next === undefined) return this.#tellFull(false);
      void this.#start(next);
    }
  }

  #tellFull(isFull: boolean): void {
    if (isFull !== this.#isFull) this.#options.onFull(isFull);
    this.#isFull = isFull;
  }

  #isCurrent({ packet }: Entry): boolean {
    return packet.messageId !== undefined && this.#entries.get(packet.messageId)?.packet === packet;
  }

  #answer(packet: IPublishPacket): void {
    this.#options.acknowledge(packet);
    // QoS 2 keeps its id until PUBREL: the same message sent again must not be handled twice.
    if (packet.qos === 1) this.#entries.delete(packet.messageId as number);
  }
}

function isSame(a: IPublishPacket, b: IPublishPacket): boolean {
  return a.topic === b.topic && Buffer.compare(Buffer.from(a.payload), Buffer.from(b.payload)) === 0;
}
