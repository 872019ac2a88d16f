/** Why a program cannot be had here, and what to do, in one line: tests that need it are skipped with it. */
export class AssetUnavailable extends Error {}
