/**
 * A reader that has seen enough (`| head`), or is no more, is no error of ours: from then on what is written to it is lost, and
 * nothing is said of it. Once for a process, before it writes anything. The log does not come by here; pino does the same.
 *
 * @param onGone called each time that a write finds nobody: for what has no other purpose than to be read
 */
export function outliveReaders(onGone: () => void = () => undefined): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      onGone();
    });
  }
}
