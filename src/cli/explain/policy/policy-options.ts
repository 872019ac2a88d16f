/** The options that say which policy frames are judged by. */
export interface PolicyOptions {
  /** File with the VMNetwork or the VMNetworkAttachment; `-` for standard input. */
  readonly policy: string;
  readonly network?: string;
  readonly vm?: string;
  readonly guestMac?: string;
  readonly guestAddress?: string;
  readonly gatewayMac?: string;
  readonly previousEndpoint?: string;
}
