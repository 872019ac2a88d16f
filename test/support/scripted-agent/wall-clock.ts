import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { file } from '../requirement.ts';
import type { Requirement } from '../skip.ts';

const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
/** Debian's package faketime. */
const LIBRARY = `/usr/lib/${ARCHITECTURE}-linux-gnu/faketime/libfaketime.so.1`;

export const needsFaketime: Requirement = file(LIBRARY, 'make setup, or install the package faketime');

/**
 * The wall clock as one process sees it, to be set while it runs. Its monotonic clock goes on as the kernel's, as it
 * does where a person or NTP sets a host's time (clock_settime(2)).
 */
export class WallClock {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vmn-wall-clock-'));
  readonly #file = join(this.#folder, 'offset');
  /** For the process whose clock it is. */
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    this.set(0);
    this.env = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** So many seconds ahead of everybody else's, from now on. */
  set(offsetSeconds: number): void {
    writeFileSync(this.#file, `+${offsetSeconds}\n`);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
