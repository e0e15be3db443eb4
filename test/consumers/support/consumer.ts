/** A user's project with the packed package installed, as a registry would deliver it, and without one. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

import { createProject, linkDependencies, type Project } from "../../e2e/support/projects";

const root = resolve(__dirname, "../../..");
const peers = join(root, "test/peers");

export interface Output {
  code: number;
  text: string;
}

/** The tarball, made once for a test file. Nothing is built: it holds what `dist` holds. */
export async function pack() {
  const folder = await mkdtemp(join(tmpdir(), "functions-framework-pack-"));
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const { code, text } = await run("npm", args, root);
  if (code !== 0) throw new Error(text);
  const [{ filename }] = JSON.parse(text) as [{ filename: string }];
  return { tarball: join(folder, filename), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A project with the given files, the unpacked tarball and links to what it and the tests need. */
export async function createConsumer(
  tarball: string,
  files: Record<string, string>,
  packages: string[] = [],
): Promise<Project> {
  const project = await createProject({ "package.json": "{}", ...files });
  const installed = join(project.folder, "node_modules/@openfunction/functions-framework");
  await mkdir(installed, { recursive: true });
  const { code, text } = await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"], root);
  if (code !== 0) throw new Error(text);
  await linkDependencies(project.folder);
  for (const name of ["node", "express"])
    await link(join(root, "node_modules/@types", name), project, `@types/${name}`);
  for (const name of packages) await link(join(peers, "node_modules", name), project, name);
  return project;
}

/** Runs a command to its end, with this Node and the project's own commands first on the path. */
export function run(command: string, args: string[], cwd: string): Promise<Output> {
  const { PATH = "", HOME = "", TMPDIR = "" } = process.env;
  const path = [join(cwd, "node_modules/.bin"), dirname(process.execPath), PATH].join(delimiter);
  const options = { cwd, env: { PATH: path, HOME, TMPDIR, NO_COLOR: "1" }, timeout: 60_000 };
  return new Promise((done) => {
    execFile(command, args, options, (err, stdout, stderr) => {
      const code = err === null ? 0 : typeof err.code === "number" ? err.code : 1;
      done({ code, text: code === 0 ? stdout : stdout + stderr });
    });
  });
}

async function link(target: string, { folder }: Project, name: string): Promise<void> {
  const path = join(folder, "node_modules", name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}
