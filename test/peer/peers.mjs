// peers.mjs - real servers and real clients for the tests of connections.
//   node peers.mjs saml FILE                     npm's saml-idp with FILE's options; prints "port N" and stays
//   node peers.mjs encrypt                       XML encryption of what comes in
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

// npm's saml-idp with the options of a file. Its requests of people are answered by whoever posts its form.
async function saml(file) {
  const { runServer } = require("saml-idp");
  const options = JSON.parse(fs.readFileSync(file));
  const port = options.port ?? await freePort();
  console.log = () => {};
  runServer({ ...options, port });
  const ready = () => {
    const s = net.connect(port, "127.0.0.1", () => { s.destroy(); process.stdout.write(`port ${port}\n`); });
    s.on("error", () => setTimeout(ready, 50));
  };
  ready();
}

// Standard input {text, cert, cipher, transport}: encrypted for the certificate, as XML.
async function encrypt() {
  const { encrypt: seal } = require("xml-encryption");
  const { text, cert, cipher, transport } = JSON.parse(fs.readFileSync(0));
  const { createPublicKey } = require("node:crypto");
  seal(text, { rsa_pub: createPublicKey(cert).export({ type: "spki", format: "pem" }), pem: cert, encryptionAlgorithm: cipher,
    keyEncryptionAlgorithm: transport, disallowEncryptionWithInsecureAlgorithm: false, warnInsecureAlgorithm: false },
    (error, xml) => {
      if (error) throw error;
      process.stdout.write(xml);
    });
}

const jobs = { encrypt, s3, saml, azurite, "put-azure": putAzure };
await jobs[what](...rest);
