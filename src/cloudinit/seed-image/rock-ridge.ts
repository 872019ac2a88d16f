import { recordBoth32 } from './recorded-number.ts';
import type { Extent } from './sector.ts';

/**
 * Rock Ridge: names as they are, and who may read, in the system use fields of the primary tree (IEEE P1282, on SUSP, IEEE
 * P1281). The identifier and the PX entry are those of RRIP 1.09, which more readers know than 1.12's: some BSDs compare it.
 */

const VERSION = 1;
const ROOT = 0;

/** Root of the guest only: the documents hold its private key, and desktops mount discs for whoever sits there. */
const FILE_MODE = 0o100400;
const FOLDER_MODE = 0o040500;

const EXTENSION = {
  identifier: 'RRIP_1991A',
  descriptor: 'THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS',
  source:
    'PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION.',
};

/**
 * Of the root's record of itself: SP, which says that the protocol is used and must be first (SUSP 5.3), and CE (5.1), which
 * says where ER stands: a record has at most 255 bytes, and ER alone 237.
 */
export function rootSelfEntries(continuation: Extent): Buffer {
  const sharing = entry('SP', Buffer.of(0xbe, 0xef, 0));
  return Buffer.concat([sharing, posix(FOLDER_MODE, 2), continued(continuation)]);
}

export function rootParentEntries(): Buffer {
  return posix(FOLDER_MODE, 2);
}

/** PX (RRIP 4.1.1), and NM (4.1.4): a name of up to 30 characters needs one entry. */
export function fileEntries(name: string): Buffer {
  return Buffer.concat([posix(FILE_MODE, 1), entry('NM', Buffer.of(0), Buffer.from(name, 'ascii'))]);
}

/** ER (SUSP 5.5): which extension this is, for the sector that CE names. */
export function continuationArea(): Buffer {
  const texts = [EXTENSION.identifier, EXTENSION.descriptor, EXTENSION.source].map((text) =>
    Buffer.from(text, 'ascii'),
  );
  return entry('ER', Buffer.of(...texts.map((text) => text.length), 1), ...texts);
}

function posix(mode: number, links: number): Buffer {
  return entry('PX', ...[mode, links, ROOT, ROOT].map(both32));
}

function continued({ sector, bytes }: Extent): Buffer {
  return entry('CE', ...[sector, 0, bytes].map(both32));
}

/** Signature, length, version, data (SUSP 4.1). */
function entry(signature: 'SP' | 'CE' | 'ER' | 'PX' | 'NM', ...data: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(data);
  return Buffer.concat([Buffer.from(signature, 'ascii'), Buffer.of(4 + body.length, VERSION), body]);
}

function both32(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  recordBoth32(bytes, value, 0);
  return bytes;
}
