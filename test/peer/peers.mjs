// peers.mjs - real servers and real clients for the tests of connections.
//   node peers.mjs s3 DIR | azurite DIR          a server; prints "port N" and stays
//   node peers.mjs put-azure URL CONTAINER DIR   the Azure SDK writes DIR's files under their names
import fs from "node:fs";
import path from "node:path";
import net from "node:net";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [what, ...rest] = process.argv.slice(2);
export const AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

function* walk(dir, at = "") {
  for (const name of fs.readdirSync(path.join(dir, at)).sort()) {
    const key = at ? `${at}/${name}` : name;
    if (fs.statSync(path.join(dir, key)).isDirectory()) yield* walk(dir, key);
    else yield key;
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const s = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = s.address();
    s.close(() => resolve(port));
  });
  s.on("error", reject);
});

async function s3(dir) {
  const S3rver = require("s3rver");
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory: dir, resetOnClose: false,
    configureBuckets: [{ name: "bills" }, { name: "empty" }] });
  const { port } = await server.run();
  console.log(`port ${port}`);
}

async function azurite(dir) {
  const port = await freePort();
  const main = path.join(path.dirname(require.resolve("azurite/package.json")), "dist/src/blob/main.js");
  const child = spawn(process.execPath, [main, "--silent", "--skipApiVersionCheck", "--disableProductStyleUrl", "--location", dir,
    "--blobHost", "127.0.0.1", "--blobPort", String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.on("data", (d) => {
    if (String(d).includes("successfully listen")) console.log(`port ${port}`);
  });
  child.on("exit", (code) => process.exit(code ?? 1));
  process.on("SIGTERM", () => child.kill());
}

async function putAzure(url, container, dir) {
  const { BlobServiceClient, StorageSharedKeyCredential, generateBlobSASQueryParameters, ContainerSASPermissions } = require("@azure/storage-blob");
  const credential = new StorageSharedKeyCredential("devstoreaccount1", AZURE_KEY);
  const client = new BlobServiceClient(url, credential).getContainerClient(container);
  await client.createIfNotExists();
  for (const key of walk(dir)) await client.getBlockBlobClient(key).uploadFile(path.join(dir, key));
  const sas = (minutes) => generateBlobSASQueryParameters({ containerName: container, permissions: ContainerSASPermissions.parse("rl"),
    startsOn: new Date(Date.now() - 7200e3), expiresOn: new Date(Date.now() + minutes * 60e3) }, credential).toString();
  console.log(JSON.stringify({ sas: sas(60), expired: sas(-60) }));
}

const jobs = { s3, azurite, "put-azure": putAzure };
await jobs[what](...rest);
