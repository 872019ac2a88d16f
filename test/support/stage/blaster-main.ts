/**
 * Plays the guests: holds their taps open as QEMU does and writes, without pause and whatever is in force, one frame a
 * round from each VM to each place. Told on standard input, one JSON line each: {"vm", "card": Card | null}; answers
 * each with the line "ok". Ends with its input.
 */
import { closeSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { linkByName } from '../../../src/native/rtnetlink.ts';
import { openTap } from '../../../src/native/tap.ts';
import { CAST, fromGuest, GUEST_PORT } from '../frames/cast.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import { stampedPayload } from './stamp.ts';
import type { BlasterCard, BlasterOrder } from './blaster.ts';

interface Guest {
  card: BlasterCard;
  fd: number | null;
  sequence: Map<string, number>;
}

const places = JSON.parse(process.argv[2] ?? '{}') as Record<string, Destination>;
const everyMs = Number(process.argv[3] ?? 4);
/** Behind standard input, output and error. */
const FIRST_FD = 3;
const guests = new Map<string, Guest>();

/** Opens the tap if it is one that an agent made: TUNSETIFF on a name that is gone would make a new, bare one. */
function plug(guest: Guest, vm: string): void {
  const { tap, fd: number } = guest.card;
  if (number !== undefined) {
    guest.fd = FIRST_FD + number;
    return;
  }
  const ours = (): boolean => linkByName(tap)?.alias === `vmnetwork:${vm}`;
  if (!ours()) return;
  try {
    const fd = openTap(tap);
    if (ours()) guest.fd = fd;
    else closeSync(fd);
  } catch {
    // busy, or going away: the next round tries again
  }
}

function round(): void {
  for (const [vm, guest] of guests) {
    if (guest.fd === null) plug(guest, vm);
    if (guest.fd === null) continue;
    for (const [place, destination] of Object.entries(places)) {
      const sequence = (guest.sequence.get(place) ?? 0) + 1;
      guest.sequence.set(place, sequence);
      const payload = stampedPayload({ place, vm, sequence, sentNs: process.hrtime.bigint() });
      const cast = { ...CAST, ...guest.card, endpoint: destination };
      const udp = { sourcePort: GUEST_PORT, destinationPort: destination.port, payload };
      write(guest, fromGuest(cast, { ip: { destination: destination.address }, udp }));
    }
  }
}

function write(guest: Guest, frame: Uint8Array): void {
  if (guest.fd === null) return;
  try {
    writeSync(guest.fd, frame);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EIO') return; // the interface is down
    closeSync(guest.fd); // EBADFD: the interface is gone
    guest.fd = null;
  }
}

function obey({ vm, card }: BlasterOrder): void {
  const guest = guests.get(vm);
  if (card === null) {
    if (guest?.fd != null) closeSync(guest.fd);
    guests.delete(vm);
  } else if (guest === undefined || guest.card.tap !== card.tap) {
    guests.set(vm, { card, fd: null, sequence: new Map() });
  } else {
    guest.card = card;
  }
}

const timer = setInterval(round, everyMs);
const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  obey(JSON.parse(line) as BlasterOrder);
  process.stdout.write('ok\n');
});
input.on('close', () => {
  clearInterval(timer);
});
