import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** A key and a certificate for it, PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

interface Authority extends Certificate {
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** Certificates of an hour for tests; X.509 (RFC 5280) as far as TLS on loopback needs it. */
export function certificateAuthority(name = 'test CA'): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  // basicConstraints: CA
  const extensions = [extension('551d13', sequence(der(0x01, Buffer.from([0xff]))), true)];
  return {
    name,
    privateKey,
    ...certificate({ name, publicKey, privateKey, issuer: name, extensions, by: privateKey }),
  };
}

/** For the server at 127.0.0.1, and for clients, who are known by `name`. */
export function issue(authority: Authority, name: string): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  // subjectAltName: iPAddress
  const extensions = [extension('551d11', sequence(der(0x87, Buffer.from([127, 0, 0, 1]))))];
  return certificate({
    name,
    publicKey,
    privateKey,
    issuer: authority.name,
    extensions,
    by: authority.privateKey,
  });
}

function certificate(of: {
  name: string;
  publicKey: KeyObject;
  privateKey: KeyObject;
  issuer: string;
  extensions: Buffer[];
  by: KeyObject;
}): Certificate {
  const ed25519 = sequence(objectId('2b6570'));
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ed25519,
    commonName(of.issuer),
    sequence(time(now - 3_600_000), time(now + 3_600_000)),
    commonName(of.name),
    of.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...of.extensions)),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign(null, body, of.by)]);
  const bytes = sequence(body, ed25519, der(0x03, signature)).toString('base64');
  return {
    key: of.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${bytes.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(name)))));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(objectId(id), ...flag, der(0x04, value));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(digits));
}
