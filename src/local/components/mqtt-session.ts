/**
 * An MQTT 3.1.1 session on mqtt-packet. The usual client acknowledges one message at a time; here any number is in
 * flight, and each is acknowledged when its handler is done.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  parser as createParser,
  generate,
  type IConnackPacket,
  type IPublishPacket,
  type Packet,
} from "mqtt-packet";

import { createBackoff } from "../../core/backoff";
import { messageOf } from "../../core/errors";
import { decodePercent } from "../../core/url";
import { Acks } from "./mqtt-acks";
import { InFlight } from "./mqtt-inflight";

export type Qos = 0 | 1 | 2;

export interface MqttSessionOptions {
  url: URL;
  clientId: string;
  /** False keeps the session at the broker: what is not acknowledged comes again. */
  clean: boolean;
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
  /** Messages in flight at most; above it nothing more is read from the broker. Default 100. */
  maxInFlight?: number;
  /** Resolves when the message is done. A rejection leaves it unacknowledged. */
  onMessage?: (packet: IPublishPacket) => Promise<void>;
  onConnected?: () => void;
  /** The connection is lost or could not be made; it is tried again by itself. */
  onTrouble?: (trouble: { refused: boolean; why: string }) => void;
}

interface Waiting {
  resolve: () => void;
  reject: (err: Error) => void;
}

const connectTimeout = 10_000;
const longestTopic = 65_535; // MQTT 3.1.1 §1.5.3
const keepAlive = 30; // seconds

// MQTT 3.1.1 §3.2.2.3
const refusals: Record<number, string> = {
  1: "unacceptable protocol version",
  2: "client id rejected",
  3: "server unavailable",
  4: "bad user name or password",
  5: "not authorized",
};

export class MqttSession {
  readonly #options: MqttSessionOptions;
  readonly #subscriptions = new Map<string, Qos>();
  readonly #acks = new Acks();
  readonly #inFlight: InFlight;
  readonly #waiting = new Set<Waiting>(); // for the connection
  #subscribing: (() => void)[] = []; // for the first answer to their subscription
  #socket: Socket | undefined;
  #isConnected = false;
  #isStopped = false;
  readonly #pause = createBackoff({ initial: 250, factor: 2, max: 5_000 });
  #timers: NodeJS.Timeout[] = [];
  #isAlive = true;
  #isHeld = false;

  constructor(options: MqttSessionOptions) {
    this.#options = options;
    const { maxInFlight = 100, onMessage = async () => undefined } = options;
    this.#inFlight = new InFlight({
      limit: maxInFlight,
      handle: onMessage,
      acknowledge: ({ qos, messageId }) =>
        this.#write({ cmd: qos === 2 ? "pubrec" : "puback", messageId: messageId as number }),
      isConnected: () => this.#isConnected,
      onFull: (isFull) => this.#hold(isFull),
    });
    this.#connect();
  }

  /** Resolves when the broker has the message (QoS 1, 2) or it is written (QoS 0). Waits up to 5 s for a connection. */
  async publish(
    topic: string,
    payload: Buffer,
    { qos, retain }: { qos: Qos; retain: boolean },
  ): Promise<void> {
    if (Buffer.byteLength(topic) > longestTopic) throw new Error("the topic is longer than 65535 bytes");
    await this.#connected(5_000);
    if (qos === 0) return void this.#write({ cmd: "publish", topic, payload, qos, retain, dup: false });
    await this.#acks.expect((messageId) =>
      this.#write({ cmd: "publish", topic, payload, qos, retain, dup: false, messageId }),
    );
  }

  /**
   * Subscribes now or as soon as there is a connection, and again after every reconnect. Resolves when the broker has
   * it, or at the first trouble: then it follows later.
   */
  async subscribe(filter: string, qos: Qos): Promise<void> {
    this.#subscriptions.set(filter, qos);
    if (this.#isConnected) return this.#sendSubscribe([[filter, qos]]);
    await new Promise<void>((resolve) => this.#subscribing.push(resolve));
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#clearTimers();
    for (const { reject } of this.#waiting) reject(new Error("the runtime is stopping"));
    const socket = this.#socket;
    if (!socket || socket.destroyed) return;
    socket.resume();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    if (this.#isConnected) socket.end(generate({ cmd: "disconnect" }));
    else socket.destroy();
    const force = setTimeout(() => socket.destroy(), 500);
    await closed;
    clearTimeout(force);
  }

  #connect(): void {
    if (this.#isStopped) return;
    const { url, tls } = this.#options;
    const isTls = /^(mqtts|tcps|tls|ssl):$/.test(url.protocol);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (isTls ? 8883 : 1883));
    const socket = isTls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...tls })
      : connectTcp({ host, port });
    this.#socket = socket;
    socket.setNoDelay(true);
    let lastError = "the connection was closed";
    const timeout = setTimeout(
      () => socket.destroy(new Error(`no answer within ${connectTimeout / 1000} s`)),
      connectTimeout,
    );
    this.#timers.push(timeout);

    const parser = createParser({ protocolVersion: 4 });
    parser.on("packet", (packet: Packet) => this.#receive(packet));
    parser.on("error", (err: Error) => socket.destroy(err));
    socket.on(isTls ? "secureConnect" : "connect", () => this.#sendConnect());
    socket.on("data", (chunk) => parser.parse(chunk));
    socket.on("error", (err: NodeJS.ErrnoException) => {
      lastError = err.code ?? messageOf(err);
    });
    socket.on("close", () => this.#onClosed(lastError));
  }

  #sendConnect(): void {
    const { url, clientId, clean } = this.#options;
    const username = decodePercent(url.username);
    const password = decodePercent(url.password);
    this.#write({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clientId,
      clean,
      keepalive: keepAlive,
      ...(username && { username }),
      ...(password && { password: Buffer.from(password) }),
    });
  }

  #receive(packet: Packet): void {
    switch (packet.cmd) {
      case "connack":
        return this.#onConnack(packet);
      case "publish":
        return this.#inFlight.receive(packet);
      case "puback":
      case "pubcomp":
        return this.#acks.settle(packet.messageId as number);
      case "suback":
        // MQTT 3.1.1 §3.9.3: 0x80 is a refusal
        if (packet.granted.some((code) => code === 0x80)) {
          this.#options.onTrouble?.({ refused: true, why: "the subscription is not allowed" });
        }
        return this.#acks.settle(packet.messageId as number);
      case "pubrec":
        return this.#write({ cmd: "pubrel", messageId: packet.messageId as number });
      case "pubrel":
        this.#inFlight.release(packet.messageId as number);
        return this.#write({ cmd: "pubcomp", messageId: packet.messageId as number });
      case "pingresp":
        this.#isAlive = true;
    }
  }

  #onConnack({ returnCode, sessionPresent }: IConnackPacket): void {
    if (returnCode !== 0) {
      this.#options.onTrouble?.({
        refused: true,
        why: refusals[returnCode as number] ?? `return code ${returnCode}`,
      });
      this.#socket?.destroy();
      return;
    }
    this.#clearTimers();
    this.#pause.reset();
    this.#isConnected = true;
    this.#isAlive = true;
    if (!sessionPresent) this.#inFlight.forget();
    if (this.#subscriptions.size > 0) {
      void this.#sendSubscribe([...this.#subscriptions]).finally(() => this.#endSubscribing());
    }
    const ping = setInterval(() => this.#ping(), (keepAlive * 1000) / 2);
    this.#timers.push(ping);
    for (const { resolve } of this.#waiting) resolve();
    this.#hold(this.#isHeld);
    this.#options.onConnected?.();
  }

  // Back-pressure: what the broker wants to send beyond the limit stays in the socket.
  #hold(isFull: boolean): void {
    this.#isHeld = isFull;
    if (isFull) this.#socket?.pause();
    else this.#socket?.resume();
    this.#isAlive = true;
  }

  // A session that reads nothing because its room is full cannot see the answer to a ping either.
  #ping(): void {
    if (!this.#isAlive && !this.#isHeld)
      return void this.#socket?.destroy(new Error("the broker does not answer pings"));
    this.#isAlive = false;
    this.#write({ cmd: "pingreq" });
  }

  // A connection that breaks before the answer is told of elsewhere, and the subscription is sent again.
  #sendSubscribe(list: [string, Qos][]): Promise<void> {
    const subscriptions = list.map(([topic, qos]) => ({ topic, qos }));
    return this.#acks
      .expect((messageId) => this.#write({ cmd: "subscribe", messageId, subscriptions }))
      .catch(() => undefined);
  }

  #endSubscribing(): void {
    for (const resolve of this.#subscribing.splice(0)) resolve();
  }

  #onClosed(why: string): void {
    this.#isConnected = false;
    this.#clearTimers();
    this.#acks.fail(`the broker's connection was lost: ${why}`);
    this.#inFlight.disconnected();
    this.#endSubscribing();
    if (this.#isStopped) return;
    this.#options.onTrouble?.({ refused: false, why });
    this.#timers.push(setTimeout(() => this.#connect(), this.#pause.next()));
  }

  #connected(timeout: number): Promise<void> {
    if (this.#isConnected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        resolve: () => leave(resolve),
        reject: (err) => leave(() => reject(err)),
      };
      const timer = setTimeout(() => entry.reject(new Error("the broker is not connected")), timeout);
      const leave = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(entry);
        settle();
      };
      this.#waiting.add(entry);
    });
  }

  #write(packet: Packet): void {
    if (this.#socket?.writable) this.#socket.write(generate(packet));
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}
