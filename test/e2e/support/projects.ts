/** Throw-away projects, for what a fixture cannot be: installed packages, files made by the test. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(__dirname, "../../..");

export interface Project {
  folder: string;
  remove(): Promise<void>;
}

/** A temp folder with the given files, by path. */
export async function createProject(files: Record<string, string>): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), "functions-framework-"));
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Puts a copy of the built package, not a link to it, under a name into the project's node_modules. */
export async function installCopy(folder: string, name = "@openfunction/functions-framework"): Promise<void> {
  const installed = join(folder, "node_modules", name);
  await cp(join(root, "dist"), join(installed, "dist"), { recursive: true });
  await cp(join(root, "package.json"), join(installed, "package.json"));
}

/** Puts the packages that ours depends on beside it, as links. */
export async function linkDependencies(folder: string): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies).filter((one) => !one.startsWith("@types/"))) {
    const link = join(folder, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, "node_modules", name), link);
  }
}

/** Puts a link to the package and to Express into the project's node_modules. */
export async function linkPackage(folder: string): Promise<void> {
  await mkdir(join(folder, "node_modules/@openfunction"), { recursive: true });
  await symlink(root, join(folder, "node_modules/@openfunction/functions-framework"));
  await symlink(join(root, "node_modules/express"), join(folder, "node_modules/express"));
}
