/** What is known of the Secret that a network's pre-shared key stands in. Never holds the key. */
export type SecretState =
  /** The network names none. */
  | { readonly state: 'none' }
  | { readonly state: 'ok'; readonly uid: string; readonly resourceVersion: string }
  /** It is missing, or no key stands there: the network is refused. */
  | { readonly state: 'invalid'; readonly message: string }
  /** The controller may not look, or the server cannot tell: what was sealed stays, nothing new is made. */
  | { readonly state: 'unreadable'; readonly message: string };

export const NO_SECRET: SecretState = { state: 'none' };
/** As long as nobody has looked. */
export const UNREAD: SecretState = { state: 'unreadable', message: 'it was not looked at yet' };
