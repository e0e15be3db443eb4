/** What is said on one raw connection: pipelined requests, in which pieces, and how it ends. */
import type { Audience } from "./draft";
import type { Random } from "./random";
import { drawDraft } from "./request";
import { type Message, writeSound, writeUnsound } from "./wire";

export interface Conversation {
  messages: readonly Message[];
  /** The bytes of all messages, cut as they are written. */
  pieces: readonly Buffer[];
  /**
   * `answered`: the client stays until every message has an answer, the last of which is the target's probe.
   * `half-closed`: it says that it has said everything. `reset`: it is gone in the middle.
   */
  ending: "answered" | "half-closed" | "reset";
}

export function drawConversation(random: Random, audience: Audience, probe: Message): Conversation {
  const count = random.weighted([
    [60, 1],
    [40, random.between(2, 5)],
  ]);
  const sound = random.times(count, () => writeSound(random, drawDraft(random, audience)));
  const ending = random.weighted<Conversation["ending"]>([
    [55, "answered"],
    [35, "half-closed"],
    [10, "reset"],
  ]);
  if (ending === "answered") return said([...sound, probe], ending, random);
  const messages = random.chance(85)
    ? [...sound.slice(1), writeUnsound(random, drawDraft(random, audience))]
    : sound;
  return said(messages, ending, random);
}

function said(messages: Message[], ending: Conversation["ending"], random: Random): Conversation {
  const all = Buffer.concat(messages.map(({ bytes }) => bytes));
  const bytes = ending === "reset" ? all.subarray(0, random.below(all.length + 1)) : all;
  const cuts = random.weighted([
    [55, []],
    [25, random.cuts(bytes.length, random.between(1, 6))],
    [10, random.cuts(bytes.length, 50)],
    [10, Array.from({ length: 40 }, (_, index) => Math.min(index + 1, bytes.length))],
  ]);
  const ends = [...cuts, bytes.length];
  const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  return { messages, ending, pieces: pieces.filter(({ length }) => length > 0) };
}
