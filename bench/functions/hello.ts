interface Reply {
  send(body: string): unknown;
}

export const hello = (_req: unknown, res: Reply): unknown => res.send("Hello World!");
