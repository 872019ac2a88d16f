import { InputError } from '../../input-error.ts';
import { ByteQueue } from './byte-queue.ts';
import type { CapturedFrame } from './captured-frame.ts';
import type { CaptureParser } from './capture-parser.ts';
import { isPcapMagic, PcapParser } from './classic-pcap.ts';
import { PcapngParser, SECTION_HEADER } from './pcapng.ts';

const RECAPTURE = 'Give a pcap or pcapng file, such as tcpdump -i vmn-… -w FILE makes.';

/** By how they begin, what else people have at hand. */
const OTHERS: readonly (readonly [prefix: string, what: string, remedy: string])[] = [
  ['1f8b', 'compressed by gzip', 'Unpack it: gunzip -c FILE | vmnetctl explain --pcap - …'],
  ['fd377a58', 'compressed by xz', 'Unpack it: xz -dc FILE | vmnetctl explain --pcap - …'],
  ['28b52ffd', 'compressed by zstd', 'Unpack it: zstd -dc FILE | vmnetctl explain --pcap - …'],
  ['736e6f6f', 'a snoop capture', 'Convert it: editcap -F pcapng FILE NEW'],
];

/** Either capture format, told by how the file begins. */
export class Capture implements CaptureParser {
  readonly #name: string;
  readonly #head = new ByteQueue();
  #parser: CaptureParser | null = null;

  /** @param name of the file, for errors */
  constructor(name: string) {
    this.#name = name;
  }

  *push(bytes: Uint8Array): Generator<CapturedFrame, void, undefined> {
    if (this.#parser !== null) {
      yield* this.#parser.push(bytes);
      return;
    }
    this.#head.push(bytes);
    const magic = this.#head.peek(4)?.getUint32(0);
    if (magic === undefined) return;
    this.#parser = this.#parserFor(magic);
    yield* this.#parser.push(this.#head.take(this.#head.length) ?? new Uint8Array());
  }

  end(): void {
    if (this.#parser !== null) return this.#parser.end();
    const what = this.#head.length === 0 ? 'the file is empty' : 'not a capture';
    throw new InputError(this.#name, what, RECAPTURE);
  }

  #parserFor(magic: number): CaptureParser {
    if (isPcapMagic(magic)) return new PcapParser(this.#name);
    if (magic === SECTION_HEADER) return new PcapngParser(this.#name);
    const hex = magic.toString(16).padStart(8, '0');
    const [, what = 'not a capture', remedy = RECAPTURE] =
      OTHERS.find(([prefix]) => hex.startsWith(prefix)) ?? [];
    throw new InputError(this.#name, what, remedy);
  }
}
