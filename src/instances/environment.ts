/** The environment of a process that runs already. */

// Read by Node, its libraries or the system before any of our code runs, or once only.
const readAtStart = /^(NODE_|UV_|LD_|DYLD_|LC_|LANG|LANGUAGE$|TZ$|ICU_|OPENSSL_|SSL_|MALLOC_|GLIBC_|V8_)/i;

/** True when a process that was started with `one` can still be given `other`. */
export function canBecome(one: NodeJS.ProcessEnv, other: NodeJS.ProcessEnv): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name] || !readAtStart.test(name));
}

export function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && process.env[name] !== value) process.env[name] = value;
}
