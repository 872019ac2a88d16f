/** Reads the system use field of one directory record: SUSP (IEEE P1281), Rock Ridge 1.09. */
import { equal, ok } from 'node:assert/strict';

export interface SystemUse {
  readonly sharing: boolean;
  readonly name: string | undefined;
  readonly mode: number | undefined;
  readonly owner: number | undefined;
  readonly extensions: readonly string[];
}

/** `continuation` gives the bytes of a continuation area (SUSP 5.1). */
export function readSystemUse(
  field: Buffer,
  continuation: (sector: number, offset: number, length: number) => Buffer,
): SystemUse {
  let sharing = false;
  let name: string | undefined;
  let [mode, owner]: (number | undefined)[] = [];
  const extensions: string[] = [];
  const areas = [field];
  for (let area = areas.pop(); area !== undefined; area = areas.pop()) {
    let at = 0;
    // Less than an entry's head is padding (SUSP 4).
    while (area.length - at >= 4) {
      const length = area.readUInt8(at + 2);
      const entry = area.subarray(at, at + length);
      ok(length >= 4 && entry.length === length, 'an entry that ends within its area');
      equal(entry.readUInt8(3), 1, 'version');
      switch (entry.toString('latin1', 0, 2)) {
        case 'SP':
          equal(at, 0, 'SP comes first (SUSP 5.3)');
          equal(entry.toString('hex', 4), 'beef00');
          sharing = true;
          break;
        case 'CE':
          equal(length, 28);
          areas.push(continuation(both32(entry, 4), both32(entry, 12), both32(entry, 20)));
          break;
        case 'ER':
          extensions.push(extensionOf(entry));
          break;
        case 'PX':
          equal(length, 36, 'RRIP 1.09, 4.1.1');
          [mode, owner] = [both32(entry, 4), both32(entry, 20)];
          equal(both32(entry, 28), 0, 'group');
          equal(both32(entry, 12), mode >> 12 === 0o04 ? 2 : 1, 'links');
          break;
        case 'NM':
          equal(entry.readUInt8(4), 0, 'a name that does not go on');
          equal(name, undefined);
          name = entry.toString('latin1', 5);
          break;
        default:
          throw new Error(`unknown entry ${entry.toString('latin1', 0, 2)}`);
      }
      at += length;
    }
    ok(area.subarray(at).every((byte) => byte === 0));
  }
  return { sharing, name, mode, owner, extensions };
}

/** SUSP 5.5 */
function extensionOf(entry: Buffer): string {
  const [identifier = 0, descriptor = 0, source = 0] = entry.subarray(4, 7);
  equal(entry.readUInt8(7), 1);
  equal(entry.length, 8 + identifier + descriptor + source);
  return entry.toString('latin1', 8, 8 + identifier);
}

function both32(bytes: Buffer, at: number): number {
  equal(bytes.readUInt32LE(at), bytes.readUInt32BE(at + 4));
  return bytes.readUInt32LE(at);
}
