/** One entry of an initramfs. Mode as in stat: kind and permissions. */
export interface ArchiveEntry {
  /** Without a leading slash. */
  path: string;
  mode: number;
  content: Uint8Array;
}

export const DIRECTORY = 0o040755;
export const EXECUTABLE = 0o100755;
export const SYMBOLIC_LINK = 0o120777;

/**
 * The "newc" archive of the kernel's initramfs (Documentation/driver-api/early-userspace/buffer-format.rst), the same
 * bytes for the same entries: no times, no owners, entries by path.
 */
export function cpioArchive(entries: readonly ArchiveEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const trailer: ArchiveEntry = { path: 'TRAILER!!!', mode: 0, content: new Uint8Array() };
  return Buffer.concat([...sorted, trailer].flatMap((entry, index) => record(entry, index + 1)));
}

function record({ path, mode, content }: ArchiveEntry, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === 0o040000 ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), Buffer.from(content), padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
