/**
 * Aborted by the first SIGTERM or SIGINT, whose name is the reason. `bin/vmnet-agent` has this loaded before everything else, so that
 * who is told to end while it is loaded ends in order, too; hence it imports nothing, and is the process's own. Further signals change
 * nothing: the end is under way and takes no longer than a pass.
 */
export const firstSignal: AbortSignal = listen();

function listen(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => controller.abort(signal));
  return controller.signal;
}
