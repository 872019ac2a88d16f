import { frameMacs } from '../../../packet/summary/frame-summary.ts';
import type { Direction } from '../engine/engine.ts';

/** What the frames of a tap tell by their MACs: whoever does not speak to the VM is taken for the VM. */
export function directionOf(frame: Uint8Array, guestMac: string): Direction {
  const macs = frameMacs(frame);
  return macs !== null && macs.source !== guestMac && macs.destination === guestMac ? 'to-vm' : 'from-vm';
}
