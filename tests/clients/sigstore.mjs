// Signs as Sigstore's clients do, with a Fulcio, a Rekor and a CT log of its own. It
// runs in the directory where they are installed.
//
// In, as JSON: [{ subject, issuer, kind: "message" | "statement", data | digest }],
// where `data` is the text that is signed, and `digest` the SHA-256 in hexadecimal
// that a statement is about.
// Out, as JSON: { trustedRoot, bundles }, the bundles in the order of the requests, each
// signed later than that before.
//
// @sigstore/mock differs from the real services in what is put right here: PEM texts
// have lines of 64 characters, and a `dsse` entry is stored in its canonical form.
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import http from 'node:http';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { bundleToJSON } = require('@sigstore/bundle');
const mock = require('@sigstore/mock');
const sign = require('@sigstore/sign');

const wrap = (pem) => {
  const [, label, body] = pem.match(/-----BEGIN ([A-Z ]+)-----([\s\S]*?)-----END/);
  const lines = body.replace(/\s/g, '').match(/.{1,64}/g).join('\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
};
const keyPair = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const hash = (bytes) => crypto.createHash('sha256').update(bytes).digest();

function canonical(entry) {
  if (entry.kind !== 'dsse') return entry;
  const { envelope, verifiers } = entry.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  const value = (bytes) => ({ algorithm: 'sha256', value: hash(bytes).toString('hex') });
  return {
    apiVersion: entry.apiVersion,
    kind: entry.kind,
    spec: {
      envelopeHash: value(Buffer.from(envelope)),
      payloadHash: value(Buffer.from(payload, 'base64')),
      signatures: [{ signature: signatures[0].sig, verifier: verifiers[0] }],
    },
  };
}

const ctLog = await mock.initializeCTLog(keyPair());
const ca = await mock.initializeCA(keyPair(), ctLog);
const log = await mock.initializeTLog('https://rekor.sigstore.mock', keyPair());
const fulcio = mock.fulcioHandler(ca);
const rekor = mock.rekorHandler(log);

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts).toString();
  let answer;
  if (request.url === fulcio.path) {
    answer = await fulcio.fn(body);
    const json = JSON.parse(answer.response);
    const { chain } = json.signedCertificateEmbeddedSct;
    chain.certificates = chain.certificates.map(wrap);
    answer.response = JSON.stringify(json);
  } else {
    answer = await rekor.fn(JSON.stringify(canonical(JSON.parse(body))));
  }
  response.writeHead(answer.statusCode, { 'Content-Type': answer.contentType ?? 'text/plain' });
  response.end(answer.response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const base = `http://127.0.0.1:${server.address().port}`;

const token = ({ subject, issuer }) => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: subject, iss: issuer })}.`;
};

async function bundle(request) {
  const options = {
    signer: new sign.FulcioSigner({
      fulcioBaseURL: base,
      identityProvider: { getToken: async () => token(request) },
    }),
    witnesses: [new sign.RekorWitness({ rekorBaseURL: base, entryType: 'dsse' })],
  };
  let made;
  if (request.kind === 'message') {
    made = await new sign.MessageSignatureBundleBuilder(options).create({
      data: Buffer.from(request.data),
    });
  } else {
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'component', digest: { sha256: request.digest } }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
    };
    made = await new sign.DSSEBundleBuilder(options).create({
      data: Buffer.from(JSON.stringify(statement)),
      type: 'application/vnd.in-toto+json',
    });
  }
  const json = bundleToJSON(made);
  for (const entry of json.verificationMaterial.tlogEntries) {
    entry.inclusionProof.logIndex ??= '0';
    entry.inclusionProof.hashes ??= [];
  }
  // Version 0.3 has the one certificate that counts.
  const { x509CertificateChain: chain, ...material } = json.verificationMaterial;
  json.mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  json.verificationMaterial = chain ? { certificate: chain.certificates[0], ...material } : material;
  return json;
}

const input = [];
for await (const part of process.stdin) input.push(part);
const bundles = [];
// The log counts seconds. Each bundle is started in a later second than the one in which the
// bundle before it was finished, so their times differ.
const now = () => Math.floor(Date.now() / 1000);
let finished = 0;
for (const request of JSON.parse(Buffer.concat(input).toString())) {
  while (now() <= finished) await new Promise((wake) => setTimeout(wake, 20));
  bundles.push(await bundle(request));
  finished = now();
}
server.close();

const validFor = { start: '2020-01-01T00:00:00Z' };
const key = (bytes) => ({
  rawBytes: Buffer.from(bytes).toString('base64'),
  keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  validFor,
});
const trustedRoot = {
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  tlogs: [{
    baseUrl: 'https://rekor.sigstore.mock',
    hashAlgorithm: 'SHA2_256',
    publicKey: key(log.publicKey),
    logId: { keyId: hash(log.publicKey).toString('base64') },
  }],
  certificateAuthorities: [{
    subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
    uri: 'https://fulcio.sigstore.mock',
    certChain: { certificates: [{ rawBytes: ca.rootCertificate.toString('base64') }] },
    validFor,
  }],
  ctlogs: [{
    baseUrl: 'https://ctfe.sigstore.mock',
    hashAlgorithm: 'SHA2_256',
    publicKey: key(ctLog.publicKey),
    logId: { keyId: Buffer.from(ctLog.logID).toString('base64') },
  }],
  timestampAuthorities: [],
};
console.log(JSON.stringify({ trustedRoot, bundles }));
