/**
 * Reads a volume as the standards describe it and knows nothing of our writer: ECMA-119 (3rd edition), Joliet 1.0, SUSP 1.12,
 * RRIP 1.09. Strict: whatever a standard says of the parts that a seed image has is checked, and a breach throws.
 */
import { equal, ok } from 'node:assert/strict';
import { readSystemUse, type SystemUse } from './system-use-reader.ts';

const SECTOR = 2048;

export interface ReadFile {
  readonly name: string;
  readonly content: Buffer;
  readonly mode: number | undefined;
  readonly owner: number | undefined;
}

export interface ReadVolume {
  readonly label: string;
  readonly jolietLabel: string;
  /** By identifier, such as `USER_DATA.;1`. */
  readonly plain: ReadonlyMap<string, ReadFile>;
  readonly rockRidge: ReadonlyMap<string, ReadFile>;
  readonly joliet: ReadonlyMap<string, ReadFile>;
  readonly extensions: readonly string[];
}

interface DirectoryRecord {
  readonly sector: number;
  readonly bytes: number;
  readonly date: readonly number[];
  readonly directory: boolean;
  readonly identifier: Buffer;
  readonly systemUse: Buffer;
}

interface Descriptor {
  readonly label: Buffer;
  readonly root: DirectoryRecord;
}

export function readVolume(image: Buffer): ReadVolume {
  equal(image.length % SECTOR, 0, 'whole sectors');
  ok(
    image.subarray(0, 16 * SECTOR).every((byte) => byte === 0),
    'an empty system area',
  );
  const used = new Extents(image);
  used.take(0, 19 * SECTOR);
  const primary = readDescriptor(image, 16, 1, used, (field) => field.toString('latin1'));
  const joliet = readDescriptor(image, 17, 2, used, ucs2);
  equal(sector(image, 17).toString('latin1', 88, 120).replaceAll('\0', ''), '%/E', 'UCS-2 level 3');
  ok(
    sector(image, 16)
      .subarray(88, 120)
      .every((byte) => byte === 0),
    'BP 89 to 120 unused (8.4.10)',
  );
  readTerminator(sector(image, 18));

  const plainFiles = readDirectory(image, primary.root, used);
  const jolietFiles = readDirectory(image, joliet.root, used);
  const self = plainFiles.self;
  const ridge = (record: DirectoryRecord): SystemUse =>
    readSystemUse(record.systemUse, (at, offset, length) => {
      used.take(at * SECTOR, SECTOR);
      return image.subarray(at * SECTOR + offset, at * SECTOR + offset + length);
    });
  const root = ridge(self);
  ok(root.sharing, 'SP in the first record of the root (SUSP 5.3)');
  equal(ridge(plainFiles.parent).mode, root.mode);
  equal(root.mode! >> 12, 0o04, 'the root is a directory');

  const sameContents = (record: DirectoryRecord): Buffer => contentOf(image, record);
  const fileOf = (record: DirectoryRecord, name: string, use?: SystemUse): [string, ReadFile] => [
    name,
    { name, content: sameContents(record), mode: use?.mode, owner: use?.owner },
  ];
  for (const record of plainFiles.files)
    if (record.bytes > 0) used.take(record.sector * SECTOR, record.bytes);
  for (const record of jolietFiles.files) {
    ok(
      plainFiles.files.some((file) => file.sector === record.sector && file.bytes === record.bytes),
      'one content, two names',
    );
    equal(record.systemUse.length, 0);
  }
  used.checkAll();
  return {
    label: primary.label.toString('latin1').trimEnd(),
    jolietLabel: ucs2(joliet.label).trimEnd(),
    plain: new Map(plainFiles.files.map((record) => fileOf(record, plainName(record.identifier)))),
    rockRidge: new Map(
      plainFiles.files.map((record) => {
        const use = ridge(record);
        equal(use.mode! >> 12, 0o10, 'a regular file');
        return fileOf(record, use.name!, use);
      }),
    ),
    joliet: new Map(jolietFiles.files.map((record) => fileOf(record, jolietName(record.identifier)))),
    extensions: root.extensions,
  };
}

/** 8.4 and 8.5: what both descriptors share. */
function readDescriptor(
  image: Buffer,
  at: number,
  type: number,
  used: Extents,
  text: (field: Buffer) => string,
): Descriptor {
  const bytes = sector(image, at);
  equal(bytes.readUInt8(0), type);
  equal(bytes.toString('latin1', 1, 6), 'CD001');
  equal(bytes.readUInt8(6), 1);
  equal(bytes.readUInt8(7), 0, 'volume flags');
  ok(bytes.subarray(72, 80).every((byte) => byte === 0));
  equal(both32(bytes, 80), image.length / SECTOR, 'volume space size');
  equal(both16(bytes, 120), 1, 'volume set size');
  equal(both16(bytes, 124), 1, 'volume sequence number');
  equal(both16(bytes, 128), SECTOR, 'logical block size');
  for (const [from, length] of [
    [8, 32],
    [190, 128],
    [318, 128],
    [446, 128],
    [702, 36],
    [739, 36],
    [776, 36],
  ]) {
    equal(text(bytes.subarray(from, from! + length!)).trim(), '', `blanks at ${String(from)}`);
  }
  for (const date of [813, 830, 847, 864]) {
    equal(bytes.toString('latin1', date, date + 17), `${'0'.repeat(16)}\0`, 'no date specified (8.4.26.1)');
  }
  equal(bytes.readUInt8(881), 1, 'file structure version');
  ok(
    bytes.subarray(882).every((byte) => byte === 0),
    'nothing reserved or used by an application',
  );
  const root = readRecord(bytes, 156);
  equal(bytes.readUInt8(156), 34);
  readPathTables(image, bytes, root, used);
  return { label: bytes.subarray(40, 72), root };
}

/** 6.9 and 9.4, of a tree without folders. */
function readPathTables(image: Buffer, descriptor: Buffer, root: DirectoryRecord, used: Extents): void {
  const size = both32(descriptor, 132);
  equal(size, 10, 'one record for the root');
  equal(descriptor.readUInt32LE(144) + descriptor.readUInt32LE(152), 0, 'no optional tables');
  const little = descriptor.readUInt32LE(140);
  const big = descriptor.readUInt32BE(148);
  for (const at of [little, big]) {
    used.take(at * SECTOR, SECTOR);
    const table = sector(image, at);
    equal(table.readUInt8(0), 1, 'length of the identifier');
    equal(table.readUInt8(1), 0);
    equal(at === little ? table.readUInt32LE(2) : table.readUInt32BE(2), root.sector);
    equal(at === little ? table.readUInt16LE(6) : table.readUInt16BE(6), 1, 'its own parent');
    ok(table.subarray(8).every((byte) => byte === 0));
  }
}

/** 8.3 */
function readTerminator(bytes: Buffer): void {
  equal(bytes.toString('latin1', 0, 7), '\xffCD001\x01');
  ok(bytes.subarray(7).every((byte) => byte === 0));
}

/** 6.8.1 */
function readDirectory(
  image: Buffer,
  root: DirectoryRecord,
  used: Extents,
): { self: DirectoryRecord; parent: DirectoryRecord; files: DirectoryRecord[] } {
  ok(root.directory);
  equal(root.bytes % SECTOR, 0, 'directories are whole sectors');
  ok(root.bytes > 0);
  used.take(root.sector * SECTOR, root.bytes);
  const records: DirectoryRecord[] = [];
  for (let at = root.sector; at < root.sector + root.bytes / SECTOR; at += 1) {
    const bytes = sector(image, at);
    let offset = 0;
    while (offset < SECTOR && bytes[offset] !== 0) {
      ok(offset + bytes.readUInt8(offset) <= SECTOR, 'no record crosses a sector');
      records.push(readRecord(bytes, offset));
      offset += bytes.readUInt8(offset);
    }
    ok(offset > 0, 'no sector without records');
    ok(
      bytes.subarray(offset).every((byte) => byte === 0),
      'zeros after the last record',
    );
  }
  const [self, parent, ...files] = records;
  for (const [record, byte] of [
    [self!, 0],
    [parent!, 1],
  ] as const) {
    equal(record.identifier.toString('hex'), `0${byte}`);
    equal(record.sector, root.sector);
    equal(record.bytes, root.bytes);
    ok(record.directory);
  }
  ok(files.every((file) => !file.directory));
  checkOrder(files.map((file) => plainOrJoliet(file.identifier)));
  return { self: self!, parent: parent!, files };
}

/** 9.1 */
function readRecord(bytes: Buffer, at: number): DirectoryRecord {
  const length = bytes.readUInt8(at);
  const record = bytes.subarray(at, at + length);
  equal(length % 2, 0, 'records are of an even length');
  equal(record.readUInt8(1), 0, 'no extended attributes');
  equal(record.readUInt16BE(26), 0, 'not interleaved');
  equal(both16(record, 28), 1, 'on this volume');
  const identifierEnd = 33 + record.readUInt8(32);
  const systemUseAt = identifierEnd + (record.readUInt8(32) % 2 === 0 ? 1 : 0);
  equal(record.subarray(identifierEnd, systemUseAt).toString('hex').replaceAll('0', ''), '', 'padding');
  const flags = record.readUInt8(25);
  ok(flags === 0 || flags === 2, 'a file or a directory, and nothing else about it');
  return {
    sector: both32(record, 2),
    bytes: both32(record, 10),
    date: [...record.subarray(18, 25)],
    directory: flags === 2,
    identifier: record.subarray(33, identifierEnd),
    systemUse: record.subarray(systemUseAt),
  };
}

/** 9.3: name before extension, each filled up with what is lowest; versions are all 1 here. */
function checkOrder(identifiers: readonly string[]): void {
  const fields = (identifier: string): [string, string] => {
    const bare = identifier.replace(/;1$/, '');
    const dot = bare.indexOf('.');
    return dot < 0 ? [bare, ''] : [bare.slice(0, dot), bare.slice(dot + 1)];
  };
  const lower = (a: string, b: string): boolean => {
    const length = Math.max(a.length, b.length);
    return a.padEnd(length, '\0') < b.padEnd(length, '\0');
  };
  for (const [index, identifier] of identifiers.slice(1).entries()) {
    const [[stem, extension], [nextStem, nextExtension]] = [fields(identifiers[index]!), fields(identifier)];
    const dotsInExtension = extension.includes('.') || nextExtension.includes('.'); // Joliet only, which says nothing of it
    ok(
      lower(stem, nextStem) || (stem === nextStem && (dotsInExtension || lower(extension, nextExtension))),
      `${String(identifiers[index])} before ${identifier}`,
    );
  }
}

/** 7.5.1 at interchange level 2. */
function plainName(identifier: Buffer): string {
  const text = identifier.toString('latin1');
  ok(/^(?=[^.])[A-Z0-9_]*\.[A-Z0-9_]*;1$/.test(text), `d-characters: ${text}`);
  ok(text.length <= '.;1'.length + 30);
  return text;
}

/** At most 64 characters, and none of those that Joliet excludes. */
function jolietName(identifier: Buffer): string {
  const text = ucs2(identifier);
  ok(text.length >= 1 && text.length <= 64);
  // eslint-disable-next-line no-control-regex -- they are what must not be there
  ok(!/[\u0000-\u001f*/:;?\\]/.test(text), JSON.stringify(text));
  return text;
}

function plainOrJoliet(identifier: Buffer): string {
  return identifier[0] === 0 ? ucs2(identifier) : identifier.toString('latin1');
}

function contentOf(image: Buffer, { sector: at, bytes }: DirectoryRecord): Buffer {
  const padded = Math.ceil(bytes / SECTOR) * SECTOR;
  ok(at < image.length / SECTOR && at * SECTOR + padded <= image.length, 'within the volume');
  ok(
    image.subarray(at * SECTOR + bytes, at * SECTOR + padded).every((byte) => byte === 0),
    'zeros after a content',
  );
  return image.subarray(at * SECTOR, at * SECTOR + bytes);
}

/** What is recorded where: nothing twice, and nothing that nobody points at. */
class Extents {
  readonly #owner: Uint8Array;
  constructor(image: Buffer) {
    this.#owner = new Uint8Array(image.length / SECTOR);
  }
  take(from: number, bytes: number): void {
    for (let at = from / SECTOR; at < (from + bytes) / SECTOR; at += 1) {
      equal(this.#owner[at], 0, `sector ${at} is used once, and within the volume`);
      this.#owner[at] = 1;
    }
  }
  checkAll(): void {
    equal(this.#owner.indexOf(0), -1, 'no sector without a purpose');
  }
}

function sector(image: Buffer, at: number): Buffer {
  return image.subarray(at * SECTOR, (at + 1) * SECTOR);
}

/** 7.2.3 */
function both16(bytes: Buffer, at: number): number {
  equal(bytes.readUInt16LE(at), bytes.readUInt16BE(at + 2));
  return bytes.readUInt16LE(at);
}

/** 7.3.3 */
function both32(bytes: Buffer, at: number): number {
  equal(bytes.readUInt32LE(at), bytes.readUInt32BE(at + 4));
  return bytes.readUInt32LE(at);
}

function ucs2(bytes: Buffer): string {
  return new TextDecoder('utf-16be', { fatal: true }).decode(bytes);
}
