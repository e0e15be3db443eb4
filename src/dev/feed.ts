/** The events of a session for those who follow it over the control API. Costs nothing while nobody does. */
import { EventEmitter, once } from "node:events";

import type { DevEvent, DevListener } from "./events";
import { createJsonEvents } from "./json-events";

export interface Feed {
  tell: DevListener;
  /**
   * What comes from now on, until the signal is aborted. A reader that does not keep up misses the oldest of what it
   * has not read.
   */
  follow(signal: AbortSignal): AsyncGenerator<DevEvent>;
}

const kept = 1024 * 1024; // characters for one reader

export function createFeed(): Feed {
  const readers = new Set<DevListener>();
  return {
    tell(event) {
      for (const reader of readers) reader(event);
    },
    follow(signal) {
      const queue = createQueue();
      const reader = createJsonEvents(queue.add);
      const leave = () => {
        readers.delete(reader);
        queue.end();
      };
      readers.add(reader);
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();
      return queue.read();
    },
  };
}

function createQueue() {
  const events: DevEvent[] = [];
  const news = new EventEmitter();
  let size = 0;
  let isEnded = false;

  const shift = () => {
    const event = events.shift();
    if (event) size -= sizeOf(event);
    return event;
  };
  return {
    add(event: DevEvent) {
      events.push(event);
      size += sizeOf(event);
      while (size > kept && events.length > 1) shift();
      news.emit("change");
    },
    end() {
      isEnded = true;
      news.emit("change");
    },
    async *read(): AsyncGenerator<DevEvent> {
      while (events.length > 0 || !isEnded) {
        const event = shift();
        if (event) yield event;
        else await once(news, "change");
      }
    },
  };
}

// Only the function's own output can be long.
function sizeOf(event: DevEvent): number {
  return 500 + (event.event === "log" ? event.data.text.length : 0);
}
