// Reads what this program signs, and writes key files, with others' libraries: bundles
// with @sigstore/verify, key files in cosign's format with Node's scrypt and tweetnacl.
//
// In, as JSON, one of
//   { bundle, publicKey, hint, artifact }   verifies; `artifact` is base64, if it is needed
//   { privateKey, password }                opens a key file
//   { password, cost }                      makes a key file; `cost` is scrypt's N
// Out, as JSON: { payload } of a statement, { publicKey }, or { privateKey, publicKey }.
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const nacl = require('tweetnacl');

const LABEL = 'ENCRYPTED COSIGN PRIVATE KEY';
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const scrypt = (password, salt, { N, r, p }) =>
  new Uint8Array(crypto.scryptSync(password, salt, 32, { N, r, p, maxmem: 256 * N * r }));
const pem = (key) => key.export({ format: 'pem', type: 'spki' });

function verify({ bundle, publicKey, hint, artifact }) {
  const none = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
  const key = { publicKey: crypto.createPublicKey(publicKey), validFor: () => true };
  const trust = toTrustMaterial(none, (asked) => {
    if (asked !== hint) throw new Error(`there is no key ${asked}`);
    return key;
  });
  const verifier = new Verifier(trust, {
    ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0,
  });
  const parsed = bundleFromJSON(bundle);
  verifier.verify(toSignedEntity(parsed, artifact && Buffer.from(artifact, 'base64')));
  const envelope = parsed.content.dsseEnvelope;
  return { payload: envelope ? JSON.parse(envelope.payload.toString()) : null };
}

function open({ privateKey, password }) {
  const [, body] = privateKey.match(/-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----([^-]+)-----END/);
  const { kdf, cipher, ciphertext } = JSON.parse(Buffer.from(body, 'base64'));
  if (kdf.name !== 'scrypt' || cipher.name !== 'nacl/secretbox') throw new Error('another format');
  const key = scrypt(password, bytes(kdf.salt), kdf.params);
  const der = nacl.secretbox.open(bytes(ciphertext), bytes(cipher.nonce), key);
  if (!der) throw new Error('the password does not open it');
  const pair = crypto.createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  return { publicKey: pem(crypto.createPublicKey(pair)) };
}

function make({ password, cost }) {
  const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const params = { N: cost, r: 8, p: 1 };
  const [salt, nonce] = [crypto.randomBytes(32), crypto.randomBytes(24)];
  const sealed = nacl.secretbox(new Uint8Array(der), new Uint8Array(nonce), scrypt(password, salt, params));
  const json = JSON.stringify({
    kdf: { name: 'scrypt', params, salt: base64(salt) },
    cipher: { name: 'nacl/secretbox', nonce: base64(nonce) },
    ciphertext: base64(sealed),
  });
  const body = base64(json).match(/.{1,64}/g).join('\n');
  return {
    privateKey: `-----BEGIN ${LABEL}-----\n${body}\n-----END ${LABEL}-----\n`,
    publicKey: pem(pair.publicKey),
  };
}

const parts = [];
for await (const part of process.stdin) parts.push(part);
const asked = JSON.parse(Buffer.concat(parts).toString());
const answer = asked.bundle ? verify(asked) : asked.privateKey ? open(asked) : make(asked);
process.stdout.write(JSON.stringify(answer));
