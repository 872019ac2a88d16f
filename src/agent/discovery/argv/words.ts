/** Options of QEMU that take no value, in any version. Any other takes the next word, whatever that is. */
const SWITCHES = new Set(
  (
    'h help version S s snapshot nographic daemonize preconfig nodefaults no-user-config nouserconfig usb enable-kvm ' +
    'no-kvm only-migratable no-reboot no-shutdown no-acpi no-hpet no-fd-bootchk win2k-hack portrait full-screen singlestep ' +
    'mem-prealloc audio-help xen-attach xen-domid-restrict enable-fips enable-sync-profile curses sdl no-quit no-frame ' +
    'alt-grab ctrl-grab show-cursor semihosting old-param async-teardown'
  ).split(' '),
);

const MOST_WORDS = 4096;

export interface Option {
  /** Without its dashes. */
  readonly name: string;
  readonly value: string;
}

/** The options of a QEMU command line in their order, program and disk images left out. Never throws. */
export function optionsOf(argv: readonly string[]): Option[] {
  const options: Option[] = [];
  for (let at = 1; at < Math.min(argv.length, MOST_WORDS); at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-') || word === '-') continue;
    const name = word.replace(/^--?/, '');
    if (SWITCHES.has(name)) options.push({ name, value: '' });
    else options.push({ name, value: argv[++at] ?? '' });
  }
  return options;
}
