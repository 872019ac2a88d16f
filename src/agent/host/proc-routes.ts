export interface ProcRoute {
  readonly device: string;
  readonly destination: string;
  readonly prefixLength: number;
}

/**
 * The routes of the main table as /proc/net/route prints them: a heading, then one line a route with its device,
 * destination and, in column 8, mask; addresses are hexadecimal in the byte order of the machine (net/ipv4/fib_trie.c).
 */
export function parseProcRoutes(text: string, littleEndian = true): ProcRoute[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const [device, destination, mask] = [columns[0], columns[1], columns[7]];
      if (device === undefined || destination === undefined || mask === undefined) return [];
      const bits = bytesOf(mask, littleEndian).reduce((count, byte) => count + popCount(byte), 0);
      return [{ device, destination: bytesOf(destination, littleEndian).join('.'), prefixLength: bits }];
    });
}

function bytesOf(hex: string, littleEndian: boolean): number[] {
  const bytes = [0, 2, 4, 6].map((offset) => Number.parseInt(hex.slice(offset, offset + 2), 16));
  return littleEndian ? bytes.reverse() : bytes;
}

function popCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest >>= 1) count += rest & 1;
  return count;
}
