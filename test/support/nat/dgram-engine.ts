import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { NatControl } from '../../../src/native/nat-control.ts';
import { built } from '../c-tests.ts';
import { poll } from '../lab/poll.ts';
import { GuestEnd } from './guest-end.ts';

const PAIR = fileURLToPath(new URL('dgram_pair.py', import.meta.url));

export interface DgramBed {
  control: NatControl;
  guest: GuestEnd;
}

/** A vmn-nat that was handed one end of a pair of datagram sockets; `guest` holds the other. */
export async function withDgramEngine(body: (bed: DgramBed) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vmn-nat-'));
  const path = join(folder, 'control');
  const pair = spawn('python3', [PAIR, built('vmn-nat'), path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => pair.once('exit', resolve));
  try {
    const control = await poll('the control socket', () => NatControl.connect(path).catch(() => null));
    const guest = new GuestEnd(Duplex.from({ readable: pair.stdout, writable: pair.stdin }));
    await body({ control, guest });
    control.close();
  } finally {
    pair.stdin.end(); // it ends the engine, and then itself
    await ended;
    rmSync(folder, { recursive: true });
  }
}
