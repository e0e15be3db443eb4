/** One row of the reviewed list. */
export interface Requests {
  /** Names of scenes. */
  in: string | string[];
  /** Names of requests, or `start`: how the start ends. */
  requests: string[];
}

export interface Difference extends Requests {
  /** As support/compare writes it, theirs → ours; a final `…` stands for any rest. */
  differs: string[];
  spec: string;
  why: string;
}
