import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** A scanner that rejects files with `REJECT-ME`, and keeps those with `HOLD-<name>` waiting until their release. */
export interface Scanner {
  /** For `SCAN_CMD`. */
  readonly command: string
  /** Lets the scanner give its verdict on files with `HOLD-<name>`. */
  release(name: string): Promise<void>
}

export async function makeScanner(folder: string): Promise<Scanner> {
  const command = path.join(folder, 'scan')
  const script = `#!/bin/sh
words=$(grep -aoE 'REJECT-ME|HOLD-[a-z]+' | sort -u)
for word in $words; do
  case $word in HOLD-*) until [ -e "${folder}/$word" ]; do sleep 0.05; done ;; esac
done
case $words in *REJECT-ME*) exit 1 ;; esac
`
  await writeFile(command, script)
  await chmod(command, 0o755)
  return { command, release: (name) => writeFile(path.join(folder, `HOLD-${name}`), '') }
}
