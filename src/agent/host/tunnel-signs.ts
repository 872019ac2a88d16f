import type { Asked, TunnelSeen } from '../../native/tunnel.ts';

/** Initiations in a row that were not answered. */
export interface Unanswered {
  /** Since the first of them, ms. */
  readonly forMs: number;
  /** Since the last, ms. */
  readonly agoMs: number;
}

/** What a filter saw of the tunnel to one endpoint, as times before the moment at which it was asked. */
export interface TunnelSigns {
  readonly address: string;
  readonly port: number;
  /** Since the last handshake that the consumer took part in, ms; null: there was none. */
  readonly handshakeAgoMs: number | null;
  readonly unanswered: { readonly vm: Unanswered | null; readonly consumer: Unanswered | null };
}

/** @param nowNs CLOCK_MONOTONIC */
export function tunnelSigns(seen: TunnelSeen, nowNs: bigint): TunnelSigns {
  const agoMs = (timeNs: bigint) => Math.max(0, Number(nowNs - timeNs) / 1e6);
  const unanswered = ({ firstNs, lastNs }: Asked) =>
    lastNs === 0n ? null : { forMs: agoMs(firstNs), agoMs: agoMs(lastNs) };
  const { address, port, session, askedByVm, askedByConsumer } = seen;
  return {
    address,
    port,
    handshakeAgoMs: session.timeNs === 0n ? null : agoMs(session.timeNs),
    unanswered: { vm: unanswered(askedByVm), consumer: unanswered(askedByConsumer) },
  };
}
