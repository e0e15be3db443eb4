/** Sends generated requests to running targets, and tells what was wrong with the answers. */
import { type Conversation, drawConversation } from "./conversation";
import type { Draft } from "./draft";
import { createHttpClient, type HttpClient } from "./http-client";
import { judgeConversation, judgeReply } from "./judge";
import { Random } from "./random";
import { converse } from "./raw-client";
import { isLostOnNode } from "./reference";
import { drawDraft } from "./request";
import type { TargetPlan } from "./targets";
import { message, show } from "./wire";

export interface RunOptions {
  seed: number;
  /** Index of the first case; each is drawn from the seed and its index alone. */
  first: number;
  count: number;
  targets: readonly RunningTarget[];
  /** Asked between the cases: what has gone wrong in the processes. */
  problem: () => string | undefined;
  /** Milliseconds in which every request is answered. */
  patience?: number;
}

export interface RunningTarget extends TargetPlan {
  port: number;
}

export interface Figures {
  cases: number;
  /** Pipelined ones count each. */
  requests: number;
  bytes: { raw: number; http: number };
  /** By target: how often each status came. */
  statuses: Map<string, Map<number, number>>;
  seconds: number;
}

const atOnce = 24;

/** Error: the first thing that is wrong, with all that is needed to see it again. */
export async function run({
  seed,
  first,
  count,
  targets,
  problem,
  patience = 10_000,
}: RunOptions): Promise<Figures> {
  const figures: Figures = {
    cases: 0,
    requests: 0,
    bytes: { raw: 0, http: 0 },
    statuses: new Map(),
    seconds: 0,
  };
  const client = createHttpClient();
  const started = performance.now();
  let next = first;
  let failure: Error | undefined;

  async function work(): Promise<void> {
    while (next < first + count && failure === undefined) {
      const index = next++;
      try {
        await runCase(new Random(seed, index), { targets, client, patience, figures });
        const trouble = problem();
        if (trouble !== undefined) throw new Error(`${trouble}, after this case or one just before it`);
      } catch (err) {
        failure ??= new Error(`${describe(seed, index, targets)}\n${(err as Error).message}`, { cause: err });
      }
      figures.cases++;
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  client.close();
  if (failure) throw failure;
  figures.seconds = (performance.now() - started) / 1000;
  return figures;
}

type Case =
  | { target: RunningTarget; conversation: Conversation }
  | { target: RunningTarget; draft: Draft; isChunked: boolean };

function drawCase(random: Random, targets: readonly RunningTarget[]): Case {
  const target = random.pick(targets);
  if (random.chance(20)) return { target, conversation: drawConversation(random, target, target.probe) };
  return { target, draft: drawDraft(random, target), isChunked: random.chance(30) };
}

interface Surroundings {
  targets: readonly RunningTarget[];
  client: HttpClient;
  patience: number;
  figures: Figures;
}

async function runCase(random: Random, { targets, client, patience, figures }: Surroundings): Promise<void> {
  const drawn = drawCase(random, targets);
  const { target } = drawn;
  const seen = figures.statuses.get(target.name) ?? new Map<number, number>();
  figures.statuses.set(target.name, seen);
  const tally = (status: number) => seen.set(status, (seen.get(status) ?? 0) + 1);
  if ("conversation" in drawn) {
    const { conversation } = drawn;
    figures.requests += conversation.messages.length;
    for (const { length } of conversation.pieces) figures.bytes.raw += length;
    // After an upgrade with a broken body Node reads nothing more, and closes when the time of a request is over.
    const heard = await converse(target.port, conversation, patience).catch(async (err) => {
      if (!(await isLostOnNode(conversation, patience))) throw err;
    });
    if (heard === undefined) return;
    for (const { status } of [...heard.interim, ...heard.replies]) tally(status);
    return assertRight(await judgeConversation(target, conversation, heard, patience));
  }
  const { draft, isChunked } = drawn;
  const { bytes } = message(draft, [], draft.body ?? Buffer.alloc(0));
  figures.requests++;
  figures.bytes.http += bytes.length;
  try {
    const reply = await client.ask(target.port, draft, { isChunked, patience });
    tally(reply.status);
    assertRight(judgeReply(target, reply, draft.method));
  } catch (err) {
    if (!isCut(target, draft, bytes, err)) throw err;
  }
}

function assertRight(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}

// A function that fails half-way breaks the connection, and Node may close one with a head that is too large before
// the client has written it, and so before it reads.
function isCut({ cuts }: TargetPlan, { path, body }: Draft, bytes: Buffer, err: unknown): boolean {
  const isBroken = /broke|aborted|ECONNRESET|EPIPE/.test((err as Error).message);
  const headLength = bytes.length - (body?.length ?? 0);
  return isBroken && (cuts?.test(path) === true || headLength > 15_000);
}

/** Enough to see a case again. */
function describe(seed: number, index: number, targets: readonly RunningTarget[]): string {
  const drawn = drawCase(new Random(seed, index), targets);
  const sent =
    "conversation" in drawn
      ? [
          `raw, ${drawn.conversation.ending}, ${drawn.conversation.messages.length} requests, in pieces:`,
          ...drawn.conversation.pieces.map(show),
        ]
      : [
          `${drawn.isChunked ? "chunked" : "whole"}:`,
          show(message(drawn.draft, [], drawn.draft.body ?? Buffer.alloc(0)).bytes),
        ];
  return [
    `FUZZ_SEED=${seed} FUZZ_FIRST=${index} FUZZ_COUNT=1 sends it again (FUZZ_FIRST=0: with all that came before).`,
    `Case ${index} to "${drawn.target.name}", ${sent.join("\n")}`,
  ].join("\n");
}
