// nginx, as what the proxies of a row stand before, and as one of them. One worker, no logs, all files in one folder.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How an upstream can be reached. */
const overs = ["tcp", "unix"];

/**
 * The server behind the proxies of a row. `megabytes` is the size of the file it answers with; without it the answer
 * is "Hello World!".
 */
export function upstream({ over = "tcp", megabytes } = {}) {
  if (!overs.includes(over)) throw new Error(`An upstream is reached over ${overs.join(" or ")}.`);
  return {
    name: "upstream",
    program: "nginx",
    command: ({ port }) => {
      const folder = makeFolder(port);
      if (megabytes) writeFileSync(join(folder, "file"), Buffer.alloc(megabytes * 1e6, "bench "));
      const answer = megabytes ? `root ${folder}; try_files /file =404` : 'return 200 "Hello World!"';
      const listen = `listen 127.0.0.1:${port}; listen unix:${socketOf(port)}`;
      return configured(folder, `server { ${listen}; location / { ${answer}; } }`);
    },
    address: ({ port }) => (over === "unix" ? `unix:${socketOf(port)}` : `tcp:127.0.0.1:${port}`),
  };
}

/** A stand-in sidecar, which costs next to nothing: it is healthy, and whatever it is sent is 204. */
export function sidecar() {
  return {
    ...upstream(),
    name: "sidecar",
    command: ({ port }) =>
      configured(
        makeFolder(port),
        `server { listen 127.0.0.1:${port}; location / { return 204; } location = /v1.0/metadata { return 200 "{}"; } }`,
      ),
  };
}

/** nginx as a proxy, with the fields that a hop adds. */
export const nginx = {
  name: "nginx",
  program: "nginx",
  command: ({ port, upstream: address }) =>
    configured(
      makeFolder(port),
      `upstream behind { server ${address.replace(/^tcp:/, "")}; keepalive 256; keepalive_requests 1000000000; }
       proxy_http_version 1.1;
       proxy_max_temp_file_size 0;
       proxy_set_header Connection "";
       proxy_set_header Host $http_host;
       proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
       proxy_set_header X-Forwarded-Host $http_host;
       proxy_set_header X-Forwarded-Proto $scheme;
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://behind; } }`,
    ),
};

const folders = new Set();

/** Takes away what the servers have left. */
export function removeFolders() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

function makeFolder(port) {
  const folder = folderOf(port);
  folders.add(folder);
  mkdirSync(join(folder, "temp"), { recursive: true });
  return folder;
}

function socketOf(port) {
  return join(folderOf(port), "socket");
}

function folderOf(port) {
  return join(tmpdir(), `bench-nginx-${process.pid}-${port}`);
}

function configured(folder, servers) {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/temp;`)
    .join(" ");
  const config = `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
    events { worker_connections 8192; }
    http {
      access_log off; default_type text/html; keepalive_requests 1000000000; keepalive_timeout 300; ${temp}
      ${servers}
    }`;
  writeFileSync(join(folder, "nginx.conf"), config);
  return ["-e", "stderr", "-c", join(folder, "nginx.conf")];
}
