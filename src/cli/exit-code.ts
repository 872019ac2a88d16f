/** What `vmnetctl` exits with. `run` is the exception: once QEMU has started, its exit code is passed on. */
export const EXIT_OK = 0;
/** The answer is no: a manifest is invalid, an attachment is not enforced, engines differ. */
export const EXIT_NOT_AS_ASKED = 1;
/** The command line itself is wrong. */
export const EXIT_USAGE = 2;
/** There can be no answer: no agent, no privilege, no QEMU, no kernel feature, a file that cannot be read. */
export const EXIT_ENVIRONMENT = 3;

/** Interrupted before QEMU was started: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;

/** Shown at the end of every `--help`. */
export const EXIT_CODE_HELP = `Exit codes:
  0  as asked
  1  the answer is no: refused, invalid or not enforced
  2  the command line is wrong
  3  there is no answer: no agent, no privilege, a file that cannot be read,
     something missing`;
