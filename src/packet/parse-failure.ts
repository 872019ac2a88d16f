/** Where a parser broke off; the names of native/include/vmn/parse.h, and two more for asking the wrong question. */
export type ParseFailureReason =
  | 'FrameTooShort'
  | 'VlanTooShort'
  | 'ArpTooShort'
  | 'ArpFormat'
  | 'IpTooShort'
  | 'IpVersion'
  | 'IpHeaderLength'
  | 'IpTotalLength'
  | 'UdpTooShort'
  | 'UdpLength'
  | 'TcpTooShort'
  | 'TcpHeaderLength'
  /** The packet carries another protocol than the one asked for. */
  | 'OtherProtocol'
  /** A fragment but the first: its first bytes are the sender's choice and no transport header. */
  | 'LaterFragment';

/** Bytes that are not what they were read as. A value: what comes from a wire is never exceptional. */
export class ParseFailure {
  readonly reason: ParseFailureReason;
  /** How many bytes were there to read. */
  readonly availableBytes: number;

  constructor(reason: ParseFailureReason, availableBytes: number) {
    this.reason = reason;
    this.availableBytes = availableBytes;
    Object.freeze(this);
  }
}

/** Whether `parse` gave a failure instead of what was asked for. */
export function failed(parsed: unknown): parsed is ParseFailure {
  return parsed instanceof ParseFailure;
}
