/** A file that the guest gets; of root, and written whole at every boot. */
export interface GuestFile {
  readonly path: string;
  /** Octal, as chmod(1) takes it. */
  readonly mode: '0600' | '0644' | '0755';
  readonly content: string;
}

/** Ours alone in the guest; in /etc because that is there before other file systems are. */
export const FOLDER = '/etc/vmnetwork';
