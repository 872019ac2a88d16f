import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

/**
 * The tenant's user-data and ours in one document, for launchers that can give a guest user-data and nothing else: MIME
 * multipart (RFC 2046), which cloud-init takes apart again. The tenant's comes first and ours is merged into it.
 *
 * What is no MIME travels in base64, under the type that cloud-init gives user-data that it has not looked at: it judges by
 * the first line, as it would have otherwise. What is MIME already becomes a part as it stands.
 */
export function mergedUserData(tenants: Uint8Array, ours: string): Buffer {
  const theirs = tenants.length === 0 ? [] : [tenantsPart(unpacked(Buffer.from(tenants)))];
  const parts = [...theirs, encodedPart('text/cloud-config', Buffer.from(ours))];
  const digest = createHash('sha256').update(Buffer.concat(parts)).digest('hex');
  // A text cannot contain its own digest.
  const boundary = `vmnetwork-${digest.slice(0, 32)}`;
  return Buffer.concat([
    Buffer.from(`Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n`),
    ...parts.flatMap((part) => [Buffer.from(`--${boundary}\n`), part, Buffer.from('\n')]),
    Buffer.from(`--${boundary}--\n`),
  ]);
}

/** cloud-init unpacks user-data as a whole before it asks whether it is MIME, a part only after. */
function unpacked(document: Buffer): Buffer {
  if (document[0] !== 0x1f || document[1] !== 0x8b) return document;
  try {
    return gunzipSync(document, { maxOutputLength: 16 * 1024 * 1024 });
  } catch {
    // Broken, or too large: the guest gets what the tenant gave, and cloud-init says what is wrong with it.
    return document;
  }
}

function tenantsPart(document: Buffer): Buffer {
  return isMime(document) ? document : encodedPart('text/x-not-multipart', document);
}

function isMime(document: Buffer): boolean {
  const [header = ''] = document
    .subarray(0, 4096)
    .toString('latin1')
    .split(/\r?\n\r?\n/, 1);
  return /^content-type:/im.test(header) && /^mime-version:/im.test(header);
}

/** Lines of 76 characters, RFC 2045. */
function encodedPart(type: string, content: Buffer): Buffer {
  const lines = content.toString('base64').replaceAll(/.{76}/g, '$&\n');
  return Buffer.from(
    `Content-Type: ${type}\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n${lines}\n`,
  );
}
