import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { ensureProbe } from '../guest/probe.ts';
import { framesOfPcap } from './pcap.ts';
import { poll } from './poll.ts';
import type { Namespace } from './namespace.ts';

/** EtherType "local experimental 1" (IEEE 802): what {@link Capture.drain} sends, and what no attempt uses. */
const MARKER_ETHERTYPE = 0x88b5;
const MARKER_HEADER = Buffer.from('0276eeeeeeee0276eeeeeeee88b5', 'hex');
const MARKER_MAGIC = Buffer.from('vmn-lab-marker');

/** tcpdump on one interface, its packets read back from the file it writes. */
export class Capture {
  readonly device: string;
  readonly #namespace: Namespace;
  readonly #file: string;
  readonly #tcpdump: ChildProcess;
  /** Sends the markers; started at the first {@link drain}. */
  #marker: ChildProcess | null = null;

  private constructor(namespace: Namespace, device: string, file: string, tcpdump: ChildProcess) {
    this.#namespace = namespace;
    this.device = device;
    this.#file = file;
    this.#tcpdump = tcpdump;
  }

  /** Resolves once tcpdump listens: a frame sent after that is seen. */
  static async start(namespace: Namespace, device: string, filter = ''): Promise<Capture> {
    const file = namespace.scratchFile(`${device.replaceAll('/', '_')}.pcap`);
    const expression = filter === '' ? [] : [`(${filter}) or ether proto ${String(MARKER_ETHERTYPE)}`];
    // -Z root: Debian's tcpdump would drop to a user that cannot write the scratch folder.
    const options = [
      '-i',
      device,
      '-n',
      '-U',
      '-s',
      '65535',
      '-B',
      '32768',
      '--immediate-mode',
      '-Z',
      'root',
      '-w',
      file,
    ];
    const tcpdump = namespace.spawn(['tcpdump', ...options, ...expression], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    tcpdump.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await poll(`tcpdump listening on ${device}`, () => {
      if (tcpdump.exitCode !== null || tcpdump.signalCode !== null)
        throw new Error(`tcpdump on ${device}: ${said}`);
      return said.includes('listening on');
    });
    return new Capture(namespace, device, file, tcpdump);
  }

  /** Every frame seen so far, Ethernet header first, markers left out. Reads the file anew at each call. */
  frames(): Uint8Array[] {
    return this.#all().filter((frame) => !isMarker(frame));
  }

  /**
   * Resolves once everything that passed the interface before this call is in {@link frames}: sends a marker out of the
   * interface and waits until the capture shows it. For far ends (veth), not for taps: a guest would be given the marker.
   */
  async drain(): Promise<void> {
    this.#marker ??= await this.#startMarker();
    const nonce = randomBytes(8);
    const frame = Buffer.concat([MARKER_HEADER, MARKER_MAGIC, nonce]);
    this.#marker.stdin?.write(`${frame.toString('hex')}\n`);
    const what = `the marker in the capture of ${this.device}`;
    await poll(what, () => this.#all().some((seen) => isMarker(seen) && Buffer.from(seen).includes(nonce)), {
      everyMs: 2,
    });
  }

  /** Ends tcpdump; the frames stay readable until the lab closes. */
  async stop(): Promise<void> {
    if (this.#tcpdump.exitCode !== null || this.#tcpdump.signalCode !== null) return;
    this.#tcpdump.kill('SIGINT');
    await poll(
      'the end of tcpdump',
      () => this.#tcpdump.exitCode !== null || this.#tcpdump.signalCode !== null,
    );
  }

  async #startMarker(): Promise<ChildProcess> {
    const words = [await ensureProbe(), 'raw', this.device];
    const child = this.#namespace.spawn(words, { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin?.on('error', () => undefined); // it has been killed: drain reports that the marker never came
    return child;
  }

  #all(): Uint8Array[] {
    return framesOfPcap(readFileSync(this.#file));
  }
}

function isMarker(frame: Uint8Array): boolean {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  return (
    bytes.length >= 28 &&
    bytes.readUInt16BE(12) === MARKER_ETHERTYPE &&
    bytes.subarray(14).includes(MARKER_MAGIC)
  );
}

/** Starts a capture; see {@link Capture.start}. */
export function capture(namespace: Namespace, device: string, filter?: string): Promise<Capture> {
  return Capture.start(namespace, device, filter);
}
