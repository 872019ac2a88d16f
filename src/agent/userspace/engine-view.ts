import type { NatStatus } from '../../native/nat-control-abi.ts';
import type { TapHolder } from '../host/kernel.ts';

/** What an engine shows at one moment. Nothing in it is remembered. */
export type EngineView =
  /** `vmnetctl run` is about to start it, or was when it was killed. */
  | { readonly state: 'starting' }
  /** The process of the record has ended, and with it everything that the VM could reach. */
  | { readonly state: 'ended' }
  /** It runs and cannot be asked, or is not the one that answers: what it lets pass is not known. */
  | { readonly state: 'silent'; readonly why: string }
  | AnsweringEngine;

export interface AnsweringEngine {
  readonly state: 'answers';
  readonly status: NatStatus;
  /** As read back, its secret zeros; null: nothing passes. */
  readonly policy: Uint8Array | null;
  /** It is not confined as it must be; null: it is. */
  readonly fault: string | null;
  /** Who holds the guest's end: the VM. */
  readonly guests: readonly TapHolder[];
}

/** Nobody can say what it lets pass, or it lets nothing pass any more. */
export function isSilentOrEnded(view: EngineView): boolean {
  return view.state === 'ended' || view.state === 'silent';
}

/** The card of that address in that process. */
export function servedKey(mac: string, pid: number, startTicks: string): string {
  return `${mac} ${pid} ${startTicks}`;
}
