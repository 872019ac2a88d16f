/** What the filter of one VM saw of its tunnel: native/include/vmn/tunnel.h says what each of it means. */
import { basename } from 'node:path';
import { addon } from './addon.ts';
import { checkedPinDir } from './bpffs.ts';
import { attempt } from './native-failure.ts';
import type { FilterState } from './verdict.ts';

/** Handshake initiations of one side, in a row, that were not answered. Times: CLOCK_MONOTONIC; 0: there are none. */
export interface Asked {
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  /** The index of the last one's sender. */
  readonly sender: number;
}

/** A handshake, by the indices that both sides gave it. */
export interface Session {
  /** 0: there is none. */
  readonly timeNs: bigint;
  readonly vmIndex: number;
  readonly consumerIndex: number;
}

/** Told from the shape of datagrams, and proven by none of it. */
export interface TunnelSeen {
  /** The endpoint that all of it is of; 0.0.0.0 when nothing was seen. */
  readonly address: string;
  readonly port: number;
  readonly askedByVm: Asked;
  readonly askedByConsumer: Asked;
  /** The VM answered, and whether the consumer took it has not shown. */
  readonly offered: Session;
  /** The last handshake that the consumer took part in. */
  readonly session: Session;
  readonly handshakes: bigint;
  /** The last data message of that session, to a tick; 0: there was none. */
  readonly dataFromVmNs: bigint;
  readonly dataToVmNs: bigint;
  /** The index that the consumer last sent data to. */
  readonly used: number | null;
}

/** Null: this filter does not look, since an earlier version attached it. */
export function tunnelSeen(pinDir: string): TunnelSeen | null {
  return attempt(
    {
      code: 'VMN_BPF_MAP',
      attempted: 'read what was seen of the tunnel',
      on: basename(pinDir),
      means: { EPROTO: { remedy: 'The filter is of another version: replace it.' } },
    },
    () => addon().tunnel(checkedPinDir(pinDir)),
  );
}

/** The same of a filter of the host. */
export function tunnelSeenBy(state: FilterState): TunnelSeen {
  return addon().tunnelIn(state);
}
