import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';

const PATIENCE_MS = 1000;
/** libuv has four threads for everybody's files; a thread that the kernel does not give back is gone. */
const MOST_STUCK = 2;

/**
 * Files that belong to VMs, in the view of their processes (`/proc/PID/root/…`). Whoever owns such a view can put a file there
 * whose reading never ends (FUSE, a server that is gone), a pipe, or an endless one. So nothing here is read on the main
 * thread, each look has a time and a size, and after two that did not come back nothing is looked at any more.
 */
export class PatientFiles {
  readonly #patienceMs: number;
  #stuck = 0;

  constructor(patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
  }

  /** The text of a regular file of at most `mostBytes`; null for anything else, and when it cannot be read in time. */
  read(path: string, mostBytes: number): Promise<string | null> {
    return this.within(() => readBounded(path, mostBytes));
  }

  /** Whether there is a socket, not a link to one. */
  isSocket(path: string): Promise<boolean> {
    return this.within(async () => (await lstat(path)).isSocket()).then((is) => is ?? false);
  }

  /** What a look finds, if it comes back in time; null else, and while too many have not come back. */
  async within<T>(look: () => Promise<T | null>): Promise<T | null> {
    if (this.#stuck >= MOST_STUCK) return null;
    let late = false;
    const looked = look()
      .catch(() => null)
      .finally(() => {
        if (late) this.#stuck -= 1;
      });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<null>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        this.#stuck += 1;
        resolve(null);
      }, this.#patienceMs);
    });
    try {
      return await Promise.race([looked, patience]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readBounded(path: string, mostBytes: number): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!(await file.stat()).isFile()) return null;
    const buffer = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length <= mostBytes; length += got) {
      got = (await file.read(buffer, length, buffer.length - length, null)).bytesRead;
    }
    return length > mostBytes ? null : buffer.toString('utf8', 0, length);
  } finally {
    await file.close();
  }
}
